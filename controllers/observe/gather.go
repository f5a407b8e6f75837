package observe

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/nodeclient"
)

// Source is where a picture is gathered from.
type Source struct {
	Reader client.Reader     // of the API server; may be a cache
	Nodes  nodeclient.Client // of the members
	Clock  func() time.Time
}

// Gather gives the picture of a cluster; cluster is what the picture keeps and must not
// be changed afterwards. Members that do not answer are part of the picture; an error
// is one of the API server.
func Gather(ctx context.Context, src Source, cluster *v1alpha1.RaftCluster) (*Observed, error) {
	o := &Observed{
		Now:     src.Clock(),
		Cluster: cluster,
		Shared:  map[Key]client.Object{},
		Claims:  map[string]*corev1.PersistentVolumeClaim{},
		Strays:  map[string]*appsv1.StatefulSet{},
	}
	sets, err := o.gatherObjects(ctx, src.Reader)
	if err != nil {
		return nil, err
	}
	pods, err := o.gatherPods(ctx, src.Reader)
	if err != nil {
		return nil, err
	}
	for id := int64(1); id <= int64(cluster.Status.Replicas); id++ {
		m := Member{ID: id, Name: cluster.MemberName(id), Set: sets[cluster.MemberName(id)], Pod: pods[cluster.PodName(id)]}
		if latched := cluster.Status.Member(id); latched != nil {
			m.Latched = *latched
		}
		delete(sets, m.Name)
		o.Members = append(o.Members, m)
	}
	o.Strays = sets
	o.askMembers(ctx, src.Nodes)
	return o, nil
}

func (o *Observed) gatherObjects(ctx context.Context, r client.Reader) (map[string]*appsv1.StatefulSet, error) {
	var (
		sets     appsv1.StatefulSetList
		services corev1.ServiceList
		accounts corev1.ServiceAccountList
		budgets  policyv1.PodDisruptionBudgetList
		policies networkingv1.NetworkPolicyList
		claims   corev1.PersistentVolumeClaimList
	)
	for _, list := range []client.ObjectList{&sets, &services, &accounts, &budgets, &policies, &claims} {
		if err := r.List(ctx, list, o.scope()...); err != nil {
			return nil, fmt.Errorf("list %T of %s/%s: %w", list, o.Cluster.Namespace, o.Cluster.Name, err)
		}
	}
	keep(o, "Service", services.Items, func(s *corev1.Service) client.Object { return s })
	keep(o, "ServiceAccount", accounts.Items, func(s *corev1.ServiceAccount) client.Object { return s })
	keep(o, "PodDisruptionBudget", budgets.Items, func(s *policyv1.PodDisruptionBudget) client.Object { return s })
	keep(o, "NetworkPolicy", policies.Items, func(s *networkingv1.NetworkPolicy) client.Object { return s })
	for i := range claims.Items {
		o.Claims[claims.Items[i].Name] = &claims.Items[i]
	}
	byName := map[string]*appsv1.StatefulSet{}
	for i := range sets.Items {
		if metav1.IsControlledBy(&sets.Items[i], o.Cluster) {
			byName[sets.Items[i].Name] = &sets.Items[i]
		}
	}
	return byName, nil
}

func keep[T any](o *Observed, kind string, items []T, object func(*T) client.Object) {
	for i := range items {
		if obj := object(&items[i]); metav1.IsControlledBy(obj, o.Cluster) {
			o.Shared[Key{kind, obj.GetName()}] = obj
		}
	}
}

func (o *Observed) gatherPods(ctx context.Context, r client.Reader) (map[string]*corev1.Pod, error) {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, o.scope()...); err != nil {
		return nil, fmt.Errorf("list pods of %s/%s: %w", o.Cluster.Namespace, o.Cluster.Name, err)
	}
	byName := map[string]*corev1.Pod{}
	for i := range pods.Items {
		byName[pods.Items[i].Name] = &pods.Items[i]
	}
	return byName, nil
}

func (o *Observed) scope() []client.ListOption {
	return []client.ListOption{
		client.InNamespace(o.Cluster.Namespace),
		client.MatchingLabels{v1alpha1.LabelCluster: o.Cluster.Name},
	}
}

// askMembers asks all members at the same time, so that one that hangs costs the pass
// one timeout and not one each.
func (o *Observed) askMembers(ctx context.Context, nodes nodeclient.Client) {
	var wg sync.WaitGroup
	for i := range o.Members {
		m := &o.Members[i]
		if m.Pod == nil || m.Pod.DeletionTimestamp != nil || m.Pod.Status.PodIP == "" {
			m.Err = fmt.Errorf("member %s has no running pod", m.Name)
			continue
		}
		wg.Go(func() { m.Status, m.Err = nodes.Status(ctx, o.Target(m)) })
	}
	wg.Wait()
}

// Target is where a member is talked to.
func (o *Observed) Target(m *Member) nodeclient.Target {
	t := nodeclient.Target{
		Host:      o.Cluster.Host(m.ID),
		ClusterID: o.Cluster.Status.ClusterID,
		MemberID:  uint64(m.ID), //nolint:gosec // IDs are positive
	}
	if m.Pod != nil {
		t.IP = m.Pod.Status.PodIP
	}
	return t
}
