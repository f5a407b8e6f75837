package raftcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/nodeclient"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
	"github.com/quorate/quorate/node/nodeapi"
)

// changeMembership does an action that changes who is a member. It is decided twice: what
// the cache said is gathered again from the API server, the members are asked again, and only
// if the plan then says the same it is done, on what was seen last.
func (r *Reconciler) changeMembership(ctx context.Context, o *observe.Observed, d *plan.Decision) error {
	a := &d.Action
	fresh, err := r.confirmed(ctx, o, a)
	if fresh == nil || err != nil {
		return err
	}
	m := fresh.Member(a.Member)
	switch a.Kind {
	case plan.AddMember:
		return r.askLeader(ctx, fresh, d, nodeapi.MemberChange{Add: joiner(fresh, m, a.Incarnation)})
	case plan.ChangeVoters:
		return r.askLeader(ctx, fresh, d, nodeapi.MemberChange{Promote: uint64(a.Promote), Remove: uint64(a.Remove)}) //nolint:gosec // IDs are positive
	case plan.DeleteSet:
		return r.remove(ctx, fresh, m, m.Set, client.PropagationPolicy(metav1.DeletePropagationBackground))
	case plan.DropPod:
		return r.remove(ctx, fresh, m, m.Pod, client.GracePeriodSeconds(0))
	case plan.DeleteClaim:
		return r.remove(ctx, fresh, m, fresh.Claim(m))
	case plan.DeleteKeys:
		return r.remove(ctx, fresh, m, fresh.Keys(m))
	}
	return nil
}

// confirmed gathers a picture past every cache, and gives it if the plan that follows from it
// does the same; nil if not.
func (r *Reconciler) confirmed(ctx context.Context, o *observe.Observed, a *plan.Action) (*observe.Observed, error) {
	var cluster v1alpha1.RaftCluster
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(o.Cluster), &cluster); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	fresh, err := observe.Gather(ctx, observe.Source{Reader: r.APIReader, Nodes: r.Nodes, Direct: r.APIReader, Clock: r.Clock}, &cluster)
	if err != nil {
		return nil, err
	}
	again := r.decide(fresh)
	if cluster.UID != o.Cluster.UID || !again.Action.Same(a) {
		logf.FromContext(ctx).Info("the picture was old, and nothing is done", "action", a.Kind, "member", a.Member, "now", again.Action.Kind)
		return nil, nil
	}
	return fresh, nil
}

// askLeader asks for a change of the group. A refusal is no error: the next pass looks again.
func (r *Reconciler) askLeader(ctx context.Context, o *observe.Observed, d *plan.Decision, change nodeapi.MemberChange) error {
	_, err := r.Nodes.ChangeMembers(ctx, o.Target(o.Leader()), change)
	var refused *nodeclient.RefusedError
	switch {
	case errors.As(err, &refused):
		refusals.WithLabelValues(string(refused.Reason)).Inc()
		d.Progress.Message += "; the leader refuses for now (" + string(refused.Reason) + "): " + refused.Message
		d.Requeue = plan.PollBusy
		return nil
	case err != nil:
		return fmt.Errorf("change the membership: %w", err)
	}
	r.tellChange(o, &d.Action)
	return nil
}

func (r *Reconciler) tellChange(o *observe.Observed, a *plan.Action) {
	told := func(reason, action, text string, id int64) {
		r.event(o.Cluster, nil, corev1.EventTypeNormal, reason, action, fmt.Sprintf(text, o.Cluster.MemberName(id)))
	}
	if a.Kind == plan.AddMember {
		told(v1alpha1.ReasonMemberAdded, "Add", "member %s joined as a learner", a.Member)
	}
	if a.Promote != 0 {
		told(v1alpha1.ReasonMemberPromoted, "Promote", "member %s has a vote", a.Promote)
	}
	if a.Remove != 0 {
		told(v1alpha1.ReasonMemberRemoved, "Remove", "member %s has left the group", a.Remove)
	}
}

// joiner is how a member is named to the group.
func joiner(o *observe.Observed, m *observe.Member, incarnation string) *nodeapi.MemberInfo {
	at := func(port int) string { return net.JoinHostPort(o.Cluster.Host(m.ID), strconv.Itoa(port)) }
	return &nodeapi.MemberInfo{
		ID: uint64(m.ID), Name: m.Name, Incarnation: incarnation, //nolint:gosec // IDs are positive
		Peer: at(nodeapi.PeerPort), Client: at(nodeapi.ClientPort),
	}
}

// remove deletes an object of a member that has left: the very one and version that was seen.
func (r *Reconciler) remove(ctx context.Context, o *observe.Observed, m *observe.Member, obj client.Object, opts ...client.DeleteOption) error {
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	err := r.Client.Delete(ctx, obj, append(opts, client.Preconditions{UID: &uid, ResourceVersion: &version})...)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil // it changed meanwhile: the next pass looks again
	case err != nil:
		return fmt.Errorf("delete %T %s: %w", obj, obj.GetName(), err)
	}
	r.event(o.Cluster, obj, corev1.EventTypeNormal, v1alpha1.ReasonMemberDeleted, "Delete",
		fmt.Sprintf("member %s has left the group: its %s %s is deleted", m.Name, kindOf(obj), obj.GetName()))
	return nil
}

func kindOf(obj client.Object) string {
	switch obj.(type) {
	case *appsv1.StatefulSet:
		return "StatefulSet"
	case *corev1.Pod:
		return "pod"
	case *corev1.Secret:
		return "Secret"
	case *unstructured.Unstructured:
		return observe.CertificateKind.Kind
	}
	return "claim"
}
