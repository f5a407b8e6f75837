//go:build e2e

package e2e

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/api/v1alpha1"
)

// A hibernated cluster has no pods. Woken, it is the same with all its data, also when the
// operator dies on the way down and on the way up.
func TestHibernateAndWake(t *testing.T) {
	c := newCluster(namespace(t), "sleep")
	apply(t, c)
	id := c.Status.ClusterID
	a := begin(t, c, "hibernated, and woken")
	a.guard.lose(func(*sighting) bool { return true })
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Hibernated = true })
	a.killOperator()
	awaitCondition(t, c, v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonHibernated, 90*time.Second)
	gone(t, c, &corev1.PodList{}, 60*time.Second)
	awaitCount(t, c, &corev1.PersistentVolumeClaimList{}, 3)
	awaitCount(t, c, &appsv1.StatefulSetList{}, 3)
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Hibernated = false })
	a.killOperator()
	awaitStable(t, c, 120*time.Second)
	a.end(0)
	if c.Status.ClusterID != id {
		t.Errorf("the cluster is %s now, it was %s", c.Status.ClusterID, id)
	}
}
