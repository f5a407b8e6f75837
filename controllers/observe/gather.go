package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/nodeclient"
)

// Source is where a picture is gathered from.
type Source struct {
	Reader client.Reader     // of the API server; may be a cache
	Direct client.Reader     // of the API server itself, for what is read rarely: a cache would hold all of it
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
		Orphans: map[string]*appsv1.StatefulSet{},
		Classes: map[string]*storagev1.StorageClass{},
		Nodes:   map[string]*corev1.Node{},
	}
	sets, err := o.gatherObjects(ctx, src.Reader)
	if err != nil {
		return nil, err
	}
	if err := o.gatherCertificates(ctx, src); err != nil {
		return nil, err
	}
	pods, err := o.gatherPods(ctx, src.Reader)
	if err != nil {
		return nil, err
	}
	for i := range cluster.Status.Members {
		latched := cluster.Status.Members[i]
		id := latched.ID
		m := Member{ID: id, Name: cluster.MemberName(id), Set: sets[cluster.MemberName(id)], Pod: pods[cluster.PodName(id)], Latched: latched}
		delete(sets, m.Name)
		o.Members = append(o.Members, m)
	}
	slices.SortFunc(o.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	o.Strays = sets
	if err := o.lookAgain(ctx, src.Direct); err != nil {
		return nil, err
	}
	if err := o.gatherClasses(ctx, src.Direct); err != nil {
		return nil, err
	}
	o.askMembers(ctx, src.Nodes)
	if err := o.doubt(ctx, src.Direct); err != nil {
		return nil, err
	}
	o.gatherNodes(ctx, src.Direct)
	o.readOwnCA()
	return o, nil
}

// gatherNodes reads the nodes of members that do not answer. One that cannot be read, because the
// operator may not, or the API server does not answer, is not known to be lost.
func (o *Observed) gatherNodes(ctx context.Context, r client.Reader) {
	for i := range o.Members {
		m := &o.Members[i]
		name := o.nodeOf(m)
		if _, read := o.Nodes[name]; m.Status != nil || name == "" || read {
			continue
		}
		var node corev1.Node
		switch err := r.Get(ctx, client.ObjectKey{Name: name}, &node); {
		case apierrors.IsNotFound(err):
			o.Nodes[name] = nil
		case err == nil:
			o.Nodes[name] = &node
		}
	}
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
		switch set := &sets.Items[i]; {
		case metav1.IsControlledBy(set, o.Cluster):
			byName[set.Name] = set
		case Adoptable(o.Cluster, set), o.Cluster.Status.ClusterID == "" && orphan(o.Cluster, set):
			o.Orphans[set.Name] = set
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
		if o.dialErr != nil {
			m.Err = o.dialErr
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
		TLS:       o.dial,
	}
	if m.Pod != nil {
		t.IP = m.Pod.Status.PodIP
	}
	return t
}
