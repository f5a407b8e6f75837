package objects

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// Names of the ports, in pods and Services.
const (
	portClient = "client"
	portPeer   = "peer"
	portAdmin  = "admin"
)

// clientService is where clients go: to ready members only.
func clientService(c *v1alpha1.RaftCluster) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta(c, c.Name),
		Spec: corev1.ServiceSpec{
			Selector: Selector(c),
			Ports:    []corev1.ServicePort{servicePort(portClient, nodeapi.ClientPort)},
		},
	}
}

// peersService gives every pod its name in DNS.
func peersService(c *v1alpha1.RaftCluster) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta(c, c.PeersName()),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			// Members find each other in order to become ready, and the operator asks the
			// ones that are not.
			PublishNotReadyAddresses: true,
			Selector:                 Selector(c),
			Ports: []corev1.ServicePort{
				servicePort(portPeer, nodeapi.PeerPort),
				servicePort(portAdmin, nodeapi.AdminPort),
				servicePort(portClient, nodeapi.ClientPort),
			},
		},
	}
}

func servicePort(name string, port int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Protocol: corev1.ProtocolTCP, Port: port, TargetPort: intstr.FromString(name)}
}
