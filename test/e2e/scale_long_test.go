//go:build e2e && e2e_long

package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/api/v1alpha1"
)

// A cluster grows from one member to seven and shrinks again, with the operator killed in
// each step.
func TestScaleAllTheWay(t *testing.T) {
	c := newCluster(namespace(t), "way")
	c.Spec.Replicas = 1
	apply(t, c)
	last := int32(1)
	for _, n := range []int32{3, 5, 7, 3, 1} {
		a := begin(t, c, fmt.Sprintf("scale %d -> %d", last, n))
		scale(t, c, n)
		awaitChange(t, c)
		a.killOperator()
		awaitScaled(t, c, n)
		a.end(smooth)
		last = n
	}
}

// A node's power is cut while a member joins: the new one catches up all the same, and
// the one on that node is waited for.
func TestScaleWithPowerCut(t *testing.T) {
	needDevcluster(t)
	c := newCluster(namespace(t), "power")
	apply(t, c)
	a := begin(t, c, "scale 3 -> 5")
	scale(t, c, 5)
	awaitChange(t, c)
	_, node := movable(t, c)
	a.cutPower(node)
	awaitCondition(t, c, v1alpha1.ConditionDegraded, metav1.ConditionTrue, "", 120*time.Second)
	a.load.awaitWrites(t, 500, 60*time.Second)
	powerOn(t, node)
	awaitScaled(t, c, 5)
	a.end(0)
}
