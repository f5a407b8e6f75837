//go:build e2e && e2e_long

package e2e

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A node does not come back: its member is replaced on another node. When the node comes
// back after all, nothing of the old member is left.
func TestLostNodeIsReplaced(t *testing.T) {
	needDevcluster(t)
	c := newCluster(namespace(t), "lost")
	c.Spec.Recovery.NodeLostAfter = metav1.Duration{Duration: 20 * time.Second}
	apply(t, c)
	a := begin(t, c, "replacement on another node")
	victim, node := movable(t, c)
	a.cutPower(node)
	awaitReplacement(t, c, victim)
	for id, p := range pods(t, c) {
		if p.Spec.NodeName == node && id != idString(victim) {
			t.Errorf("member %s is on %s, which has no power", id, node)
		}
	}
	powerOn(t, node)
	awaitCount(t, c, &corev1.PodList{}, 3)
	awaitStable(t, c, 60*time.Second)
	a.end(0)
}
