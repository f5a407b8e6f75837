package raftcluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/health"
	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// afterConflict is when to look again after somebody else wrote the RaftCluster.
const afterConflict = 100 * time.Millisecond

// messageLimit keeps a long error of the API server from making status invalid, in bytes.
const messageLimit = 4096

// report writes status when it changed, and with it what the action latches, and tells
// in Events what is new. It gives the time until the next pass.
func (r *Reconciler) report(ctx context.Context, o *observe.Observed, d plan.Decision) (time.Duration, error) {
	cluster := o.Cluster.DeepCopy()
	cluster.Status = statusOf(o, d)
	if equality.Semantic.DeepEqual(cluster.Status, o.Cluster.Status) {
		return d.Requeue, nil
	}
	err := r.Client.Status().Update(ctx, cluster)
	switch {
	case apierrors.IsNotFound(err):
		return 0, nil
	case apierrors.IsConflict(err):
		logf.FromContext(ctx).V(1).Info("the picture was old, looking again")
		return afterConflict, nil
	case err != nil:
		return 0, fmt.Errorf("write status of RaftCluster %s/%s: %w", cluster.Namespace, cluster.Name, err)
	}
	if d.Action.Latches() {
		count(d.Action.Kind, nil)
	}
	r.tell(o, &cluster.Status, d)
	return d.Requeue, nil
}

// statusOf is the status that the picture and the decision give.
func statusOf(o *observe.Observed, d plan.Decision) v1alpha1.RaftClusterStatus {
	s := *o.Cluster.Status.DeepCopy()
	setRight(&s, o.Now)
	s.ObservedGeneration = o.Cluster.Generation
	s.Selector = labels.SelectorFromSet(objects.Selector(o.Cluster)).String()
	s.Term = o.Term()
	s.Leader = ""
	if leader := o.Leader(); leader != nil {
		s.Leader = leader.Name
	}
	if !d.Leaderless {
		s.LeaderlessSince = nil
	} else if s.LeaderlessSince == nil {
		since := metav1.NewTime(o.Now).Rfc3339Copy()
		s.LeaderlessSince = &since
	}
	s.ReadyReplicas, s.UpdatedReplicas = 0, d.Updated
	for i := range o.Members {
		reportMember(o, &o.Members[i], &s)
	}
	if v := versions(o); v != "" {
		s.Version = v
	}
	s.FoundingReplicas = s.Founders() // a status of an older operator does not tell yet
	d.Action.Latch(o.Cluster, &s)
	s.Replicas = s.Staying()
	forgetReplacements(o, &s)
	s.Ready = fmt.Sprintf("%d/%d", s.ReadyReplicas, s.Replicas)
	for _, c := range append(health.Conditions(o), progressing(o, d.Progress)) {
		meta.SetStatusCondition(&s.Conditions, c)
	}
	return s
}

func reportMember(o *observe.Observed, m *observe.Member, s *v1alpha1.RaftClusterStatus) {
	out := s.Member(m.ID)
	out.Ready = o.Well(m)
	if out.Ready && s.Stays(m.ID) {
		s.ReadyReplicas++
	}
	out.Role = ""
	if m.Status != nil {
		out.Role = string(m.Status.Role)
	}
	out.Fault = o.Suffers(m)
	after := o.Cluster.Spec.Recovery.ResetAfter.Duration
	if since, well := o.WellSince(m); well && out.Restarts != nil && o.Now.Sub(since) >= after && o.Now.Sub(out.Restarts.LastAt.Time) >= after {
		out.Restarts = nil
	}
}

// setRight brings moments that have not come yet to now: a clock that was ahead wrote them, and
// nobody is to wait for it. A restart's NextAt is bounded where it is waited for.
func setRight(s *v1alpha1.RaftClusterStatus, now time.Time) {
	moments := []*metav1.Time{s.LeaderlessSince}
	if s.Change != nil {
		moments = append(moments, &s.Change.StartedAt)
	}
	if s.Replacements != nil {
		moments = append(moments, &s.Replacements.LastAt)
	}
	for i := range s.Members {
		if r := s.Members[i].Restarts; r != nil {
			moments = append(moments, &r.LastAt)
		}
	}
	for _, m := range moments {
		if m != nil && m.After(now) {
			*m = metav1.NewTime(now).Rfc3339Copy()
		}
	}
}

// forgetReplacements ends the count when every member has been well for long.
func forgetReplacements(o *observe.Observed, s *v1alpha1.RaftClusterStatus) {
	after := o.Cluster.Spec.Recovery.ResetAfter.Duration
	if s.Replacements == nil || s.Change != nil || o.Now.Sub(s.Replacements.LastAt.Time) < after {
		return
	}
	for i := range o.Members {
		if since, well := o.WellSince(&o.Members[i]); !well || o.Now.Sub(since) < after {
			return
		}
	}
	s.Replacements = nil
}

// versions are the nodes' versions, each once, joined by commas.
func versions(o *observe.Observed) string {
	var all []string
	for i := range o.Members {
		if s := o.Members[i].Status; s != nil && s.Version != "" {
			all = append(all, s.Version)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}

func progressing(o *observe.Observed, p plan.Progress) metav1.Condition {
	c := metav1.Condition{
		Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse, Reason: p.Reason, Message: p.Message[:min(len(p.Message), messageLimit)],
		ObservedGeneration: o.Cluster.Generation, LastTransitionTime: metav1.NewTime(o.Now),
	}
	if p.Active {
		c.Status = metav1.ConditionTrue
	}
	return c
}
