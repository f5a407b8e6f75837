package observe

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// Adoptable tells whether a RaftCluster may take an object over: it carries the cluster's
// label and tells the same group, nobody controls it, and it stays. Such are the objects of
// a RaftCluster that was deleted without them, and those whose owner reference was removed.
func Adoptable(c *v1alpha1.RaftCluster, obj metav1.Object) bool {
	return c.Status.ClusterID != "" && obj.GetAnnotations()[v1alpha1.AnnotationClusterID] == c.Status.ClusterID && orphan(c, obj)
}

// orphan tells whether an object carries the cluster's label and nobody controls it.
func orphan(c *v1alpha1.RaftCluster, obj metav1.Object) bool {
	return obj.GetLabels()[v1alpha1.LabelCluster] == c.Name && metav1.GetControllerOf(obj) == nil && obj.GetDeletionTimestamp() == nil
}
