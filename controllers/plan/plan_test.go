package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/observe/observetest"
)

// TestStories runs testdata: below each picture stands what is done about it.
func TestStories(t *testing.T) {
	want := Wanted{NewClusterID: "fresh", Templates: map[int64]string{}}
	for id := int64(1); id <= 9; id++ {
		want.Templates[id] = "new"
	}
	observetest.Stories(t, "next", func(o *observe.Observed) string { return tell(Next(o, want)) })
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
		fmt.Fprintf(&b, " id=%s replicas=%d slots=%v", a.Identity.ClusterID, a.Identity.Replicas, a.Identity.Incarnations)
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
	fmt.Fprintf(&b, "\n%s active=%t again=%s\n%s\n", d.Progress.Reason, d.Progress.Active, d.Requeue, d.Progress.Message)
	return b.String()
}
