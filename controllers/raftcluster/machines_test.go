package raftcluster

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// machine gives the Kubernetes node of a pod, which is made when there is none.
func (w *world) machine(pod string) string {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: w.ns + "-" + pod}}
	if err := w.c.Create(w.ctx, node); !apierrors.IsAlreadyExists(err) {
		w.must(err)
	}
	return node.Name
}

// failMachine stops the Kubernetes node of a pod, as Kubernetes sees it after a while.
func (w *world) failMachine(pod string) {
	w.t.Helper()
	w.mu.Lock()
	w.failed[pod] = true
	now := metav1.NewTime(w.now)
	w.mu.Unlock()
	node := &corev1.Node{}
	w.must(w.c.Get(w.ctx, client.ObjectKey{Name: w.machine(pod)}, node))
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, LastTransitionTime: now}}
	w.must(w.c.Status().Update(w.ctx, node))
}

// endPod is a kubelet that ends a pod which is deleted, if there is one.
func (w *world) endPod(s *scene, pod *corev1.Pod) {
	w.t.Helper()
	w.mu.Lock()
	failed := w.failed[pod.Name]
	w.mu.Unlock()
	if pod.Spec.NodeName != "" && !failed {
		s.touched = true
		w.must(client.IgnoreNotFound(w.c.Delete(w.ctx, pod, client.GracePeriodSeconds(0))))
	}
}
