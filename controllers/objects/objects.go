package objects

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// Options are what objects depend on besides the RaftCluster.
type Options struct {
	DefaultImage      string // for a RaftCluster without spec.image
	OperatorNamespace string // that the operator's own pods run in; empty: unknown
}

// Shared gives the objects that a cluster has once, in the order in which they are created.
func Shared(c *v1alpha1.RaftCluster, o Options) []client.Object {
	all := []client.Object{
		serviceAccount(c),
		clientService(c),
		peersService(c),
		disruptionBudget(c),
		networkPolicy(c, o),
	}
	for _, obj := range all {
		stamp(obj)
	}
	return all
}

// Selector selects everything of a cluster.
func Selector(c *v1alpha1.RaftCluster) map[string]string {
	return map[string]string{v1alpha1.LabelCluster: c.Name}
}

func labels(c *v1alpha1.RaftCluster) map[string]string {
	return map[string]string{
		v1alpha1.LabelCluster:          c.Name,
		"app.kubernetes.io/name":       "quorate",
		"app.kubernetes.io/instance":   c.Name,
		"app.kubernetes.io/component":  "member",
		"app.kubernetes.io/managed-by": "quorate-operator",
	}
}

func meta(c *v1alpha1.RaftCluster, name string) metav1.ObjectMeta {
	isController := true
	return metav1.ObjectMeta{
		Name:        name,
		Namespace:   c.Namespace,
		Labels:      labels(c),
		Annotations: map[string]string{v1alpha1.AnnotationClusterID: c.Status.ClusterID},
		// No blockOwnerDeletion: that would need the right to set finalizers, and nothing
		// has to wait for these objects.
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(),
			Kind:       v1alpha1.Kind,
			Name:       c.Name,
			UID:        c.UID,
			Controller: &isController,
		}},
	}
}
