package plan

import (
	"fmt"
	"strings"
	"testing"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/observe/observetest"
)

// TestStories runs testdata: below each picture stands what is done about it.
func TestStories(t *testing.T) {
	observetest.Stories(t, "next", func(o *observe.Observed) string { return tell(Next(o, wanted(o))) + grows(o) })
}

// wanted is the pod "new" of each member, and on its claim its slot and whether it has left.
func wanted(o *observe.Observed) Wanted {
	want := Wanted{NewClusterID: "fresh", Templates: map[int64]string{}, Marks: map[int64]map[string]string{}}
	for i := range o.Members {
		m := &o.Members[i]
		want.Templates[m.ID] = "new"
		want.Marks[m.ID] = map[string]string{v1alpha1.AnnotationFounded: m.Latched.Incarnation}
		if o.Cluster.Status.Gone(m.ID) {
			want.Marks[m.ID][v1alpha1.AnnotationRemoved] = "true"
		}
	}
	return want
}

// tell writes a decision down.
func tell(d Decision) string {
	var b strings.Builder
	a := d.Action
	fmt.Fprintf(&b, "%s", a.Kind)
	if a.Member != 0 {
		fmt.Fprintf(&b, " %d", a.Member)
	}
	if a.Identity != nil {
		i := a.Identity
		fmt.Fprintf(&b, " id=%s founders=%d members=%v highest=%d slots=%v", i.ClusterID, i.Founders, i.Members, i.Highest, i.Incarnations)
	}
	if a.Incarnation != "" {
		fmt.Fprintf(&b, " incarnation=%s", a.Incarnation)
	}
	if a.Restarts != nil {
		fmt.Fprintf(&b, " count=%d next=+%s pod=%s", a.Restarts.Count, a.Restarts.NextAt.Sub(observetest.Epoch), a.Restarts.PodUID)
	}
	if a.PodUID != "" {
		fmt.Fprintf(&b, " pod=%s", a.PodUID)
	}
	if a.MayServe {
		b.WriteString(" may-serve")
	}
	if c := a.Change; c != nil {
		fmt.Fprintf(&b, "%s", tellChange(c))
	}
	if a.Replacements != nil {
		fmt.Fprintf(&b, " replacement=%d", a.Replacements.Count)
	}
	if a.Promote != 0 {
		fmt.Fprintf(&b, " promote=%d", a.Promote)
	}
	if a.Remove != 0 {
		fmt.Fprintf(&b, " remove=%d", a.Remove)
	}
	if a.UID != "" {
		fmt.Fprintf(&b, " uid=%s", a.UID)
	}
	fmt.Fprintf(&b, "\n%s active=%t again=%s\n%s\n", d.Progress.Reason, d.Progress.Active, d.Requeue, d.Progress.Message)
	return b.String()
}

func tellChange(c *v1alpha1.MembershipChange) string {
	s := fmt.Sprintf(" %s %s", c.Kind, c.Step)
	if c.Joining != 0 {
		s += fmt.Sprintf(" joining=%d", c.Joining)
	}
	if c.Leaving != 0 {
		s += fmt.Sprintf(" leaving=%d", c.Leaving)
	}
	return s + " reason=" + c.Reason
}

// grows names the members whose claims are told to grow.
func grows(o *observe.Observed) string {
	var b strings.Builder
	for _, m := range Growths(o) {
		fmt.Fprintf(&b, "grow %s\n", o.Claim(m).Name)
	}
	return b.String()
}
