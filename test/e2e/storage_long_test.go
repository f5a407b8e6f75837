//go:build e2e && e2e_long

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/api/v1alpha1"
)

// A StorageClass that does not exist is named, and nobody is the worse for it.
func TestStorageClassThatIsNotThere(t *testing.T) {
	c := newCluster(namespace(t), "nope")
	apply(t, c)
	before, nope := pods(t, c), "nope"
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = &nope })
	pending := awaitCondition(t, c, v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonVolumePending, 120*time.Second)
	if !strings.Contains(pending.Message, `claim data-nope-4-0 of the StorageClass "nope"`) {
		t.Errorf("the condition says %q, want the claim and the class in it", pending.Message)
	}
	if c.Status.Ready != "3/3" {
		t.Errorf("READY is %s, want 3/3", c.Status.Ready)
	}
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = nil })
	awaitScaled(t, c, 3)
	if n := replaced(t, c, before); n > 0 {
		t.Errorf("%d pods are others than before", n)
	}
}
