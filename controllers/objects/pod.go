package objects

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

const (
	nodeUser      = int64(65532) // "nonroot" of distroless images
	graceSeconds  = int64(30)    // to hand leadership over and to close the files
	dataDir       = "/data"
	containerName = "node"
)

// podTemplate gives the pod of one member. The user's labels and annotations come
// first, so that they never hide the operator's.
func podTemplate(c *v1alpha1.RaftCluster, o Options, id int64) corev1.PodTemplateSpec {
	p := c.Spec.Pod
	l, a := map[string]string{}, map[string]string{}
	maps.Copy(l, p.Labels)
	maps.Copy(l, labels(c))
	maps.Copy(l, memberSelector(c, id))
	maps.Copy(a, p.Annotations)
	automount, links, grace := false, false, graceSeconds
	t := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: l, Annotations: a},
		Spec: corev1.PodSpec{
			ServiceAccountName:            c.Name,
			AutomountServiceAccountToken:  &automount,
			EnableServiceLinks:            &links,
			TerminationGracePeriodSeconds: &grace,
			SecurityContext:               podSecurity(),
			NodeSelector:                  p.NodeSelector,
			Affinity:                      p.Affinity,
			Tolerations:                   p.Tolerations,
			TopologySpreadConstraints:     spread(c),
			PriorityClassName:             p.PriorityClassName,
			ImagePullSecrets:              p.ImagePullSecrets,
			Containers:                    []corev1.Container{container(c, o, id)},
		},
	}
	tlsMount(c, id, &t.Spec)
	return t
}

// WithPodOf gives the cluster with the image, the resources and the place that the pod of one
// member's StatefulSet has.
func WithPodOf(c *v1alpha1.RaftCluster, set *appsv1.StatefulSet) *v1alpha1.RaftCluster {
	c = c.DeepCopy()
	spec := set.Spec.Template.Spec.DeepCopy()
	for i := range spec.Containers {
		if x := &spec.Containers[i]; x.Name == containerName {
			c.Spec.Image, c.Spec.ImagePullPolicy, c.Spec.Pod.Resources = x.Image, x.ImagePullPolicy, x.Resources
		}
	}
	p := &c.Spec.Pod
	p.NodeSelector, p.Affinity, p.Tolerations = spec.NodeSelector, spec.Affinity, spec.Tolerations
	p.TopologySpreadConstraints = spec.TopologySpreadConstraints
	p.PriorityClassName, p.ImagePullSecrets = spec.PriorityClassName, spec.ImagePullSecrets
	return c
}

func container(c *v1alpha1.RaftCluster, o Options, id int64) corev1.Container {
	image := c.Spec.Image
	if image == "" {
		image = o.DefaultImage
	}
	return corev1.Container{
		Name:            containerName,
		Image:           image,
		ImagePullPolicy: c.Spec.ImagePullPolicy,
		Args:            serveArgs(c, id),
		Env:             []corev1.EnvVar{{Name: nodeapi.EnvMembership, Value: nodeapi.MembershipByOperator}},
		Ports: []corev1.ContainerPort{
			{Name: portClient, ContainerPort: nodeapi.ClientPort, Protocol: corev1.ProtocolTCP},
			{Name: portPeer, ContainerPort: nodeapi.PeerPort, Protocol: corev1.ProtocolTCP},
			{Name: portAdmin, ContainerPort: nodeapi.AdminPort, Protocol: corev1.ProtocolTCP},
		},
		Resources:    c.Spec.Pod.Resources,
		VolumeMounts: []corev1.VolumeMount{{Name: v1alpha1.VolumeName, MountPath: dataDir}},
		// A large log may take minutes to be read; until then only the start is watched.
		StartupProbe:             probe(c, nodeapi.PathLivez, 1, 300),
		LivenessProbe:            probe(c, nodeapi.PathLivez, 10, 6),
		ReadinessProbe:           probe(c, nodeapi.PathReadyz, 1, 2),
		TerminationMessagePath:   nodeapi.TerminationMessagePath,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		SecurityContext:          containerSecurity(),
	}
}

func probe(c *v1alpha1.RaftCluster, path string, periodSeconds, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(portAdmin), Scheme: probeScheme(c)},
		},
		PeriodSeconds:    periodSeconds,
		TimeoutSeconds:   2,
		SuccessThreshold: 1,
		FailureThreshold: failures,
	}
}

// podSecurity and containerSecurity meet Pod Security "restricted".
func podSecurity() *corev1.PodSecurityContext {
	nonRoot, user := true, nodeUser
	// A volume of a million files is not walked again at each start.
	onMismatch := corev1.FSGroupChangeOnRootMismatch
	return &corev1.PodSecurityContext{
		RunAsNonRoot:        &nonRoot,
		RunAsUser:           &user,
		RunAsGroup:          &user,
		FSGroup:             &user,
		FSGroupChangePolicy: &onMismatch,
		SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func containerSecurity() *corev1.SecurityContext {
	escalate, readOnly := false, true
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &escalate,
		ReadOnlyRootFilesystem:   &readOnly,
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}
