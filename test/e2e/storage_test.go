//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// Volumes grow while they are used, where their class allows it: no pod is touched.
func TestStorageGrows(t *testing.T) {
	c := newCluster(namespace(t), "grow")
	apply(t, c)
	a := begin(t, c, "storage 1Gi -> 2Gi")
	before := pods(t, c)
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Storage.Size = quantity("2Gi") })
	a.killOperator()
	awaitClaims(t, c, func(claim *corev1.PersistentVolumeClaim) bool {
		return claim.Status.Capacity.Storage().String() == "2Gi"
	})
	awaitStable(t, c, 60*time.Second)
	a.end(smooth)
	if n := replaced(t, c, before); n > 0 {
		t.Errorf("%d pods are others than before", n)
	}
}

// Another StorageClass is wanted: members on its volumes take the places of the others, one at a
// time, also when the operator dies in the middle.
func TestStorageClassChanges(t *testing.T) {
	c := newCluster(namespace(t), "class")
	apply(t, c)
	class := rigidClass(t, c)
	a := begin(t, c, "another StorageClass")
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = &class })
	awaitStep(t, c, v1alpha1.StepAdding)
	a.killOperator()
	awaitMoved(t, c, 4, 5, 6)
	a.end(smooth)
	awaitClaims(t, c, func(claim *corev1.PersistentVolumeClaim) bool { return *claim.Spec.StorageClassName == class })
}

// Larger volumes are wanted of a class that does not let them grow, and the leader dies in the
// middle.
func TestStorageGrowsByReplacement(t *testing.T) {
	c := newCluster(namespace(t), "rigid")
	class := rigidClass(t, c)
	c.Spec.Storage.StorageClassName = &class
	apply(t, c)
	a := begin(t, c, "storage 1Gi -> 2Gi, class without growth")
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Storage.Size = quantity("2Gi") })
	awaitStep(t, c, v1alpha1.StepAdding)
	a.killLeader(c)
	awaitMoved(t, c, 4, 5, 6)
	a.end(0)
	awaitClaims(t, c, func(claim *corev1.PersistentVolumeClaim) bool {
		return claim.Status.Capacity.Storage().String() == "2Gi"
	})
}

// The only member moves: it hands over to the new one, which got its vote before.
func TestOnlyMemberMoves(t *testing.T) {
	c := newCluster(namespace(t), "solo")
	c.Spec.Replicas = 1
	apply(t, c)
	class := rigidClass(t, c)
	a := begin(t, c, "another StorageClass, one member")
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = &class })
	awaitStep(t, c, v1alpha1.StepAdding)
	a.killOperator()
	awaitMoved(t, c, 2)
	a.end(smooth)
}

// rigidClass makes a StorageClass as the default one is, whose volumes do not grow.
func rigidClass(t *testing.T, c *v1alpha1.RaftCluster) string {
	t.Helper()
	var all storagev1.StorageClassList
	must(t, kube.List(t.Context(), &all))
	for i := range all.Items {
		class := &all.Items[i]
		if class.Annotations["storageclass.kubernetes.io/is-default-class"] != "true" {
			continue
		}
		no := false
		class.ObjectMeta, class.AllowVolumeExpansion = metav1.ObjectMeta{Name: c.Namespace}, &no
		must(t, kube.Create(t.Context(), class))
		t.Cleanup(func() { must(t, client.IgnoreNotFound(kube.Delete(context.Background(), class))) })
		return class.Name
	}
	t.Skip("the cluster has no default StorageClass to make another one like it")
	return ""
}

// awaitMoved waits until these members are all that there are, well, and nothing is left of
// others. That counts as no replacement.
func awaitMoved(t *testing.T, c *v1alpha1.RaftCluster, ids ...int64) {
	t.Helper()
	cluster := c.Status.ClusterID
	await(t, 240*time.Second, func(ctx context.Context) (string, error) {
		if err := refresh(ctx, c); err != nil {
			return "", err
		}
		for _, id := range ids {
			if c.Status.Member(id) == nil {
				return fmt.Sprintf("member %d is not there yet; %s", id, progressOf(t, c)), nil
			}
		}
		return "", nil
	})
	awaitScaled(t, c, int32(len(ids))) //nolint:gosec // a handful
	if c.Status.ClusterID != cluster || c.Status.Replacements != nil || c.Status.HighestMemberID != ids[len(ids)-1] {
		t.Errorf("the status is %+v, want the members %v of the group %s, and no replacement counted", c.Status, ids, cluster)
	}
}

// awaitClaims waits until all claims of the cluster are so.
func awaitClaims(t *testing.T, c *v1alpha1.RaftCluster, so func(*corev1.PersistentVolumeClaim) bool) {
	t.Helper()
	await(t, 120*time.Second, func(ctx context.Context) (string, error) {
		var list corev1.PersistentVolumeClaimList
		if err := kube.List(ctx, &list, client.InNamespace(c.Namespace), client.MatchingLabels{clusterLabel: c.Name}); err != nil {
			return "", err
		}
		for i := range list.Items {
			if p := &list.Items[i]; !so(p) {
				return fmt.Sprintf("claim %s asks for %s and has %s; %s", p.Name, p.Spec.Resources.Requests.Storage(), p.Status.Capacity.Storage(), progressOf(t, c)), nil
			}
		}
		return "", nil
	})
}
