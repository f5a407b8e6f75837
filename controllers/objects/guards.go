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
	minAvailable := intstr.FromInt32(mustStay(&c.Status))
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

// mustStay is the number of pods that must be left: all but as many as may fail. Pods of
// members without a vote are among them, because the budget counts every pod. While a
// change is under way, the number of voters before or after it counts, whichever may lose less.
func mustStay(s *v1alpha1.RaftClusterStatus) int32 {
	before := len(s.Voters())
	after := before
	if c := s.Change; c != nil {
		if s.Joining(c.Joining) {
			after++
		}
		if c.Leaving != 0 && !s.Gone(c.Leaving) && !s.Joining(c.Leaving) {
			after--
		}
	}
	tolerated := min((before-1)/2, (after-1)/2)
	return int32(max(1, len(s.Members)-tolerated)) //nolint:gosec // a handful
}

// networkPolicy leaves the client port open, and the peer port to the cluster's own pods.
// The admin port is open where certificates guard it, so that metrics can be read from
// anywhere; else it is for those pods and the operator.
func networkPolicy(c *v1alpha1.RaftCluster, o Options) *networkingv1.NetworkPolicy {
	own := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: Selector(c)}}
	admin := networkingv1.NetworkPolicyIngressRule{Ports: policyPorts(nodeapi.AdminPort)}
	if !c.TLS() {
		admin.From = []networkingv1.NetworkPolicyPeer{operatorPeer(o)}
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: meta(c, c.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: Selector(c)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				{Ports: policyPorts(nodeapi.ClientPort)},
				{Ports: policyPorts(nodeapi.PeerPort, nodeapi.AdminPort), From: []networkingv1.NetworkPolicyPeer{own}},
				admin,
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
