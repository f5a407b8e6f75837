package objects

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/pki"
)

const (
	tlsVolume = "tls"
	tlsDir    = "/etc/quorate/tls"
	tlsMode   = int32(0o440) // the pod's group may read
)

// tlsArgs are the flags that name the files. They stay what they are when certificates are
// replaced, and the node sees the new files by itself.
func tlsArgs(c *v1alpha1.RaftCluster) []string {
	if !c.TLS() {
		return nil
	}
	args := []string{"--tls-identity=" + c.TLSIdentity()}
	files := func(endpoint string, mutual bool) {
		args = append(args,
			fmt.Sprintf("--%s-cert-file=%s/%s", endpoint, tlsDir, pki.KeyCert),
			fmt.Sprintf("--%s-key-file=%s/%s", endpoint, tlsDir, pki.KeyKey))
		if mutual {
			args = append(args, fmt.Sprintf("--%s-ca-file=%s/%s", endpoint, tlsDir, pki.KeyTrust))
		}
	}
	files("peer", true)
	files("admin", true)
	if c.Spec.TLS.Clients.Enabled {
		files("client", c.Spec.TLS.Clients.Mutual)
	}
	return args
}

// tlsMount puts the member's Secret into its pod as a whole directory: the files of a
// single mounted file (subPath) would never change.
func tlsMount(c *v1alpha1.RaftCluster, id int64, pod *corev1.PodSpec) {
	if !c.TLS() {
		return
	}
	mode := tlsMode
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: tlsVolume, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: c.MemberTLSName(id), DefaultMode: &mode},
	}})
	node := &pod.Containers[0]
	node.VolumeMounts = append(node.VolumeMounts, corev1.VolumeMount{Name: tlsVolume, MountPath: tlsDir, ReadOnly: true})
}

// probeScheme is how the kubelet asks; it examines no certificate and shows none.
func probeScheme(c *v1alpha1.RaftCluster) corev1.URIScheme {
	if c.TLS() {
		return corev1.URISchemeHTTPS
	}
	return corev1.URISchemeHTTP
}

// Secret gives the Secret of a certificate; member is 0 for one of no member.
func Secret(c *v1alpha1.RaftCluster, name string, member int64, data map[string][]byte) *corev1.Secret {
	s := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: meta(c, name),
		Type:       corev1.SecretTypeTLS,
		Data:       data,
	}
	// Whose it is, and no hash of what is wanted: that would be one of the key.
	s.Annotations = map[string]string{v1alpha1.AnnotationClusterID: c.Status.ClusterID}
	if name == c.CASecretName() {
		s.Type = corev1.SecretTypeOpaque // its keys come and go
	}
	if member != 0 {
		s.Labels[v1alpha1.LabelMember] = strconv.FormatInt(member, 10)
	}
	return s
}

// Certificate asks cert-manager for the certificate of a subject.
func Certificate(c *v1alpha1.RaftCluster, s pki.Subject) *unstructured.Unstructured {
	l := labels(c)
	if s.Member != 0 {
		l[v1alpha1.LabelMember] = strconv.FormatInt(s.Member, 10)
	}
	usages, spec := []any{"digital signature", "client auth"}, map[string]any{
		"secretName": s.Secret,
		"commonName": s.Name,
		"uris":       []any{s.URI},
		"duration":   c.Spec.TLS.LeafDuration.Duration.String(),
		"issuerRef":  issuer(c.Spec.TLS.IssuerRef),
		"privateKey": map[string]any{"algorithm": "ECDSA", "size": int64(256), "rotationPolicy": "Always"},
		// So that the operator's cache holds the Secret.
		"secretTemplate": map[string]any{"labels": anyMap(l)},
	}
	if d := c.Spec.TLS.RenewBefore.Duration; d > 0 {
		spec["renewBefore"] = d.String()
	} else {
		spec["renewBefore"] = (c.Spec.TLS.LeafDuration.Duration / 3).Truncate(time.Second).String()
	}
	if len(s.Hosts) > 0 {
		usages = append(usages, "server auth")
		spec["dnsNames"] = anyList(s.Hosts)
		spec["ipAddresses"] = []any{"127.0.0.1", "::1"}
	}
	spec["usages"] = usages
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "spec": spec}}
	m := meta(c, s.Secret)
	maps.Copy(m.Labels, l)
	u.SetName(m.Name)
	u.SetNamespace(m.Namespace)
	u.SetLabels(m.Labels)
	u.SetOwnerReferences(m.OwnerReferences)
	u.SetAnnotations(map[string]string{v1alpha1.AnnotationSpecHash: hashOf(u.Object)})
	return u
}

func issuer(r *v1alpha1.IssuerReference) map[string]any {
	return map[string]any{"name": r.Name, "kind": r.Kind, "group": r.Group}
}

func anyMap(in map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range in {
		out[k] = v
	}
	return out
}

func anyList(in []string) []any {
	out := make([]any, 0, len(in))
	for _, v := range in {
		out = append(out, v)
	}
	return out
}
