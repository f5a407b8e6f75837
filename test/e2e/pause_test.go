//go:build e2e

package e2e

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/api/v1alpha1"
)

// While a cluster is paused nothing is changed and nothing is put right; the members go on
// without the operator. Afterwards everything is made up for.
func TestPaused(t *testing.T) {
	c := newCluster(namespace(t), "paused")
	apply(t, c)
	a := begin(t, c, "paused, with a change and a deleted member")
	before := pods(t, c)
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Paused = true })
	awaitCondition(t, c, v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonPaused, 30*time.Second)
	victim := follower(t, c)
	set := appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.MemberName(victim)}}
	a.guard.lose(func(s *sighting) bool { return s.member == idString(victim) })
	must(t, kube.Delete(t.Context(), &set))
	changeResources(t, c)
	awaitCondition(t, c, v1alpha1.ConditionDegraded, metav1.ConditionTrue, "", 60*time.Second)
	awaitObserved(t, c)
	a.load.awaitWrites(t, 500, 60*time.Second)
	if exists(t, &set) {
		t.Error("the StatefulSet was made again while the cluster was paused")
	}
	if n := replaced(t, c, before); n != 0 {
		t.Errorf("%d pods were replaced while the cluster was paused", n)
	}

	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Paused = false })
	awaitRolledOut(t, c, before)
	a.end(smooth)
}
