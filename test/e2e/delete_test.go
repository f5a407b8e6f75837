//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// A deleted RaftCluster leaves what the retention policy keeps, and a new one of that
// name has all the data again.
func TestDeleteRetains(t *testing.T) {
	c := newCluster(namespace(t), "keep")
	apply(t, c)
	id := c.Status.ClusterID
	put(t, c, "kept", "yes")
	remove(t, c)
	var claims corev1.PersistentVolumeClaimList
	must(t, kube.List(t.Context(), &claims, client.InNamespace(c.Namespace)))
	if len(claims.Items) != 3 {
		t.Fatalf("%d claims are left, want 3", len(claims.Items))
	}
	again := newCluster(c.Namespace, c.Name)
	apply(t, again)
	if again.Status.ClusterID != id {
		t.Errorf("the cluster is %s now, it was %s", again.Status.ClusterID, id)
	}
	if v, err := get(t.Context(), dialMember(t, forwardTo(t, pods(t, again)["1"])), "kept"); err != nil || v != "yes" {
		t.Errorf("the key reads %q, %v after the cluster was made again", v, err)
	}
}

// With whenDeleted: Delete nothing is left.
func TestDeleteDeletes(t *testing.T) {
	c := newCluster(namespace(t), "drop")
	c.Spec.Storage.WhenDeleted = v1alpha1.DeleteVolumes
	apply(t, c)
	remove(t, c)
	gone(t, c, &corev1.PersistentVolumeClaimList{}, 60*time.Second)
}

// Deleting does not wait for a node that is gone. Its pod is there until the node is back,
// or is taken out of Kubernetes.
func TestDeleteWithNodeGone(t *testing.T) {
	needDevcluster(t)
	c := newCluster(namespace(t), "gone")
	c.Spec.Storage.WhenDeleted = v1alpha1.DeleteVolumes
	apply(t, c)
	id, node := movable(t, c)
	lost := pods(t, c)[idString(id)]
	powerOff(t, node)
	awaitCondition(t, c, v1alpha1.ConditionDegraded, metav1.ConditionTrue, "", 120*time.Second)
	start := time.Now()
	must(t, kube.Delete(t.Context(), c.DeepCopy()))
	await(t, 60*time.Second, func(context.Context) (string, error) {
		if exists(t, c) {
			return "the RaftCluster is still there", nil
		}
		for _, p := range pods(t, c) {
			if p.UID != lost.UID {
				return "pod " + p.Name + " is still there", nil
			}
		}
		return "", nil
	})
	for _, list := range owned() {
		if _, are := list.(*corev1.PodList); !are {
			gone(t, c, list, 60*time.Second)
		}
	}
	t.Logf("with %s gone the RaftCluster and all but the pod of that node is deleted after %.1f s", node, time.Since(start).Seconds())
	powerOn(t, node)
	gone(t, c, &corev1.PodList{}, 60*time.Second)
	gone(t, c, &corev1.PersistentVolumeClaimList{}, 60*time.Second)
}

// A RaftCluster that was deleted without its objects is the same one when it is applied
// again: the members never noticed, also when the operator dies while it takes them over.
func TestOrphansAreAdopted(t *testing.T) {
	c := newCluster(namespace(t), "orphan")
	apply(t, c)
	id := c.Status.ClusterID
	a := begin(t, c, "deleted with cascade=orphan, and applied again")
	before := pods(t, c)
	must(t, kube.Delete(t.Context(), c.DeepCopy(), client.PropagationPolicy(metav1.DeletePropagationOrphan)))
	await(t, 60*time.Second, func(context.Context) (string, error) {
		if exists(t, c) {
			return "the RaftCluster is still there", nil
		}
		return "", nil
	})
	again := newCluster(c.Namespace, c.Name)
	must(t, kube.Create(t.Context(), again))
	a.killOperator()
	awaitStable(t, again, 120*time.Second)
	a.end(smooth)
	if again.Status.ClusterID != id {
		t.Errorf("the cluster is %s now, it was %s", again.Status.ClusterID, id)
	}
	if n := replaced(t, again, before); n > 0 {
		t.Errorf("%d pods are others than before", n)
	}
	remove(t, again)
}

// owned gives a list for each kind of object that goes with the RaftCluster.
func owned() []client.ObjectList {
	return []client.ObjectList{
		&appsv1.StatefulSetList{}, &corev1.PodList{}, &corev1.ServiceList{},
		&policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{}, &corev1.ServiceAccountList{},
	}
}

// remove deletes the RaftCluster and waits until all that it owned is gone.
func remove(t *testing.T, c *v1alpha1.RaftCluster) {
	t.Helper()
	must(t, kube.Delete(t.Context(), &v1alpha1.RaftCluster{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name}}))
	await(t, 60*time.Second, func(context.Context) (string, error) {
		if exists(t, c) {
			return "the RaftCluster is still there", nil
		}
		return "", nil
	})
	for _, list := range owned() {
		gone(t, c, list, 60*time.Second)
	}
}

func put(t *testing.T, c *v1alpha1.RaftCluster, key, value string) {
	t.Helper()
	_, err := dialMember(t, forwardTo(t, pods(t, c)["1"])).Put(t.Context(), key, value)
	must(t, err)
}
