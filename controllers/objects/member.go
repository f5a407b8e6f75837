package objects

import (
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// Member gives the StatefulSet of one member. live is the one that exists, nil for none:
// of that, what Kubernetes never lets change is kept, the template of the claim.
func Member(c *v1alpha1.RaftCluster, o Options, id int64, live *appsv1.StatefulSet) *appsv1.StatefulSet {
	replicas, history := int32(1), int32(2)
	if c.Spec.Hibernated {
		replicas = 0
	}
	pod := podTemplate(c, o, id)
	hash := hashOf(pod)
	pod.Annotations[v1alpha1.AnnotationTemplateHash] = hash

	set := &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: meta(c, c.MemberName(id)),
		Spec: appsv1.StatefulSetSpec{
			Replicas:    &replicas,
			ServiceName: c.PeersName(),
			Selector:    &metav1.LabelSelector{MatchLabels: memberSelector(c, id)},
			Template:    pod,
			// The operator restarts pods itself, in the order and at the moment that the
			// quorum allows, and a broken template can be taken back.
			UpdateStrategy:                       appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType},
			PodManagementPolicy:                  appsv1.ParallelPodManagement,
			RevisionHistoryLimit:                 &history,
			VolumeClaimTemplates:                 []corev1.PersistentVolumeClaim{claim(c, id, live)},
			PersistentVolumeClaimRetentionPolicy: retention(c, id),
		},
	}
	set.Labels[v1alpha1.LabelMember] = strconv.FormatInt(id, 10)
	set.Annotations[v1alpha1.AnnotationFoundingReplicas] = strconv.Itoa(int(c.Status.Founders()))
	set.Annotations[v1alpha1.AnnotationTemplateHash] = hash
	stamp(set)
	return set
}

func memberSelector(c *v1alpha1.RaftCluster, id int64) map[string]string {
	s := Selector(c)
	s[v1alpha1.LabelMember] = strconv.FormatInt(id, 10)
	return s
}

// claim is the template of a member's claim. It tells how the volume was made, not how it is
// now: the claim itself grows and is marked.
func claim(c *v1alpha1.RaftCluster, id int64, live *appsv1.StatefulSet) corev1.PersistentVolumeClaim {
	l := labels(c)
	maps.Copy(l, memberSelector(c, id))
	made := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name:        v1alpha1.VolumeName,
			Labels:      l,
			Annotations: map[string]string{v1alpha1.AnnotationClusterID: c.Status.ClusterID},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: c.Spec.Storage.StorageClassName,
			Resources: corev1.VolumeResourceRequirements{
				Requests: map[corev1.ResourceName]resource.Quantity{corev1.ResourceStorage: c.Spec.Storage.Size},
			},
		},
	}
	if live != nil && len(live.Spec.VolumeClaimTemplates) == 1 {
		was := live.Spec.VolumeClaimTemplates[0].DeepCopy()
		made.Labels, made.Annotations = was.Labels, was.Annotations
		made.Spec.StorageClassName, made.Spec.Resources.Requests = was.Spec.StorageClassName, was.Spec.Resources.Requests
	}
	return made
}

// retention says whether the claim goes with the StatefulSet. When a member has left, its
// StatefulSet is deleted for that reason, and the claim by the operator or not at all.
func retention(c *v1alpha1.RaftCluster, id int64) *appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy {
	p := &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
		WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
		WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
	}
	if c.Spec.Storage.WhenDeleted == v1alpha1.DeleteVolumes && !c.Status.Gone(id) {
		p.WhenDeleted = appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	}
	return p
}
