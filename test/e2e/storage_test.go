//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
