package objects

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// serviceAccount is what the pods run as. Nodes never talk to the API server.
func serviceAccount(c *v1alpha1.RaftCluster) *corev1.ServiceAccount {
	automount := false
	return &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   meta(c, c.Name),
		AutomountServiceAccountToken: &automount,
	}
}

// disruptionBudget keeps evictions from taking the quorum.
func disruptionBudget(c *v1alpha1.RaftCluster) *policyv1.PodDisruptionBudget {
	// voters - (voters - quorum): what is left after as many failures as are tolerated.
	minAvailable := intstr.FromInt32(c.Status.Replicas/2 + 1)
	// A member that is not ready adds nothing to the quorum; keeping it would only
	// block the drain of its node.
	unhealthy := policyv1.AlwaysAllow
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: meta(c, c.Name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable:               &minAvailable,
			UnhealthyPodEvictionPolicy: &unhealthy,
			Selector:                   &metav1.LabelSelector{MatchLabels: Selector(c)},
		},
	}
}

// networkPolicy leaves the client port open, the peer port to the cluster's own pods,
// and the admin port to those and the operator.
func networkPolicy(c *v1alpha1.RaftCluster, o Options) *networkingv1.NetworkPolicy {
	own := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: Selector(c)}}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: meta(c, c.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: Selector(c)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				{Ports: policyPorts(nodeapi.ClientPort)},
				{Ports: policyPorts(nodeapi.PeerPort, nodeapi.AdminPort), From: []networkingv1.NetworkPolicyPeer{own}},
				{Ports: policyPorts(nodeapi.AdminPort), From: []networkingv1.NetworkPolicyPeer{operatorPeer(o)}},
			},
		},
	}
}

// operatorPeer is the operator's pods, in its namespace where that is known.
func operatorPeer(o Options) networkingv1.NetworkPolicyPeer {
	namespaces := &metav1.LabelSelector{}
	if o.OperatorNamespace != "" {
		namespaces.MatchLabels = map[string]string{corev1.LabelMetadataName: o.OperatorNamespace}
	}
	return networkingv1.NetworkPolicyPeer{
		NamespaceSelector: namespaces,
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/component": "operator"}},
	}
}

func policyPorts(numbers ...int32) []networkingv1.NetworkPolicyPort {
	tcp := corev1.ProtocolTCP
	ports := make([]networkingv1.NetworkPolicyPort, 0, len(numbers))
	for _, n := range numbers {
		port := intstr.FromInt32(n)
		ports = append(ports, networkingv1.NetworkPolicyPort{Protocol: &tcp, Port: &port})
	}
	return ports
}
