package raftcluster

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe/observetest"
	"github.com/quorate/quorate/controllers/plan"
)

// The operator's clock was a year ahead and was set right: what it wrote then is counted from the
// first look after that, so a budget that was spent is there again after resetAfter.
func TestClockThatWasAhead(t *testing.T) {
	t.Parallel()
	o, err := observetest.Read("cluster founded=3 bootstrapped\nmember 1 leader for-long\nmember 2 follower for-long\nmember 3 follower for-long")
	if err != nil {
		t.Fatal(err)
	}
	const resetAfter = 10 * time.Minute
	o.Cluster.Spec.Recovery.ResetAfter.Duration = resetAfter
	ahead := metav1.NewTime(o.Now.AddDate(1, 0, 0))
	s := &o.Cluster.Status
	s.Replacements = &v1alpha1.Replacements{Count: 3, LastAt: ahead}
	s.Member(2).Restarts = &v1alpha1.MemberRestarts{Count: 3, LastAt: ahead, NextAt: ahead}
	s.LeaderlessSince = &ahead
	s.Change = &v1alpha1.MembershipChange{Kind: v1alpha1.ChangeScaleUp, Joining: 3, StartedAt: ahead}

	first := statusOf(o, plan.Decision{Leaderless: true})
	for what, at := range map[string]metav1.Time{
		"replacements": first.Replacements.LastAt, "restarts": first.Member(2).Restarts.LastAt,
		"leaderless": *first.LeaderlessSince, "change": first.Change.StartedAt,
	} {
		if !at.Time.Equal(o.Now) {
			t.Errorf("%s: %v, want %v", what, at, o.Now)
		}
	}
	s.Member(2).Fault = &v1alpha1.MemberFault{Kind: "LogCorrupt", Since: ahead}
	ill, err := observetest.Read("cluster founded=3 bootstrapped\nmember 2 fenced fault=LogCorrupt")
	if err != nil {
		t.Fatal(err)
	}
	ill.Members[0].Latched = *s.Member(2)
	if seen := statusOf(ill, plan.Decision{}); !seen.Member(2).Fault.Since.Time.Equal(o.Now) {
		t.Errorf("the fault is seen since %v, want %v", seen.Member(2).Fault.Since, o.Now)
	}
	if !s.Replacements.LastAt.Equal(&ahead) {
		t.Error("the picture was changed")
	}

	for _, c := range []struct {
		after     time.Duration
		forgotten bool
	}{{resetAfter - time.Second, false}, {resetAfter, true}} {
		o.Cluster.Status = *first.DeepCopy()
		o.Cluster.Status.Change = nil
		o.Now = observetest.Epoch.Add(c.after)
		later := statusOf(o, plan.Decision{})
		if got := later.Replacements == nil; got != c.forgotten {
			t.Errorf("after %v the replacements are forgotten: %t", c.after, got)
		}
		if got := later.Member(2).Restarts == nil; got != c.forgotten {
			t.Errorf("after %v the restarts are forgotten: %t", c.after, got)
		}
	}
}
