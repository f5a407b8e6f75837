package raftcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/nodeclient"
	"github.com/quorate/quorate/controllers/objects"
)

// What the operator may do, and no more. patch and create are server-side apply. It deletes
// pods, to have them made anew, and of members that have left the StatefulSet, the claim and
// the certificate.
//
// +kubebuilder:rbac:groups=quorate.dev,resources=raftclusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=quorate.dev,resources=raftclusters/status,verbs=update
// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services;serviceaccounts,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=cert-manager.io,resources=certificates,verbs=get;list;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=get
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	controllerName = "raftcluster"
	// concurrency is how many clusters are worked on at once: a pass mostly waits for nodes.
	concurrency = 8
	// passTimeout bounds a pass: a few writes, and one wait for nodes.
	passTimeout = 30 * time.Second
	// firstRetry and lastRetry bound the time until a pass that failed is repeated. A
	// cluster that needs mending is never left alone for long.
	firstRetry, lastRetry = 50 * time.Millisecond, 30 * time.Second
)

// Scheme knows all types that the operator reads and writes.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("scheme: %w", err)
	}
	return s, v1alpha1.AddToScheme(s)
}

// Cache gives the options of a cache that holds RaftClusters and what carries a
// cluster's label, in the namespaces, which are joined by commas; none given: in all.
func Cache(namespaces string) cache.Options {
	ours, err := labels.NewRequirement(v1alpha1.LabelCluster, "exists", nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	labelled := cache.ByObject{Label: labels.NewSelector().Add(*ours)}
	o := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.StatefulSet{}:           labelled,
			&corev1.Service{}:               labelled,
			&corev1.ServiceAccount{}:        labelled,
			&corev1.Secret{}:                labelled,
			&corev1.Pod{}:                   labelled,
			&corev1.PersistentVolumeClaim{}: labelled,
			&policyv1.PodDisruptionBudget{}: labelled,
			&networkingv1.NetworkPolicy{}:   labelled,
		},
	}
	if len(namespaces) > 0 {
		o.DefaultNamespaces = map[string]cache.Config{}
		for _, ns := range strings.FieldsFunc(namespaces, func(r rune) bool { return r == ',' }) {
			o.DefaultNamespaces[ns] = cache.Config{}
		}
	}
	return o
}

// Setup adds the controller to a manager. dial may be nil, see nodeclient.New.
func Setup(mgr ctrl.Manager, o objects.Options, dial nodeclient.Dialer) error {
	r := &Reconciler{
		Client:    mgr.GetClient(),
		APIReader: mgr.GetAPIReader(),
		Nodes:     nodeclient.New(dial),
		Events:    mgr.GetEventRecorder("quorate-operator"),
		Clock:     time.Now,
		Options:   o,
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		// Status too: what a pass latched is what the next one works on.
		For(&v1alpha1.RaftCluster{}).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency, ReconciliationTimeout: passTimeout,
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
	for _, obj := range []client.Object{
		&appsv1.StatefulSet{}, &corev1.Service{}, &corev1.ServiceAccount{}, &corev1.Secret{}, &corev1.Pod{},
		&corev1.PersistentVolumeClaim{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
	} {
		b = b.Watches(obj, handler.EnqueueRequestsFromMapFunc(clusterOf), builder.WithPredicates(predicate.ResourceVersionChangedPredicate{}))
	}
	return errors.Join(b.Complete(r), mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping))
}

// clusterOf finds the cluster by the label: pods and claims are not owned by it directly.
func clusterOf(_ context.Context, obj client.Object) []reconcile.Request {
	name := obj.GetLabels()[v1alpha1.LabelCluster]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace(), Name: name}}}
}

var _ reconcile.Reconciler = (*Reconciler)(nil)
