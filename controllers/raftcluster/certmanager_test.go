package raftcluster

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// certificateCRD is as much of cert-manager as the API server needs.
const certificateCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: certificates.cert-manager.io}
spec:
  group: cert-manager.io
  scope: Namespaced
  names: {kind: Certificate, listKind: CertificateList, plural: certificates, singular: certificate}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// installCertManager makes the API server know Certificates until the test ends, and the
// world sign them.
func (w *world) installCertManager() {
	w.t.Helper()
	crd := &unstructured.Unstructured{}
	w.must(yaml.Unmarshal([]byte(certificateCRD), &crd.Object))
	w.must(w.c.Create(w.ctx, crd))
	w.t.Cleanup(func() {
		w.must(w.c.Delete(context.Background(), crd))
		w.awaitCertificates(false)
	})
	w.awaitCertificates(true)
	w.theirs = newTheirs(w.t, w.clock())
}

// awaitCertificates waits until the API server serves Certificates, or does not any more.
func (w *world) awaitCertificates(served bool) {
	w.t.Helper()
	w.must(wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := w.certificates(ctx)
		if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
			return false, err
		}
		return (err == nil) == served, nil
	}))
}

func (w *world) certificates(ctx context.Context) ([]unstructured.Unstructured, error) {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(observe.CertificateKind)
	err := w.c.List(ctx, &list, client.InNamespace(w.ns))
	return list.Items, err
}

// signCertificates does what cert-manager does: it writes the Secrets.
func (w *world) signCertificates() {
	w.t.Helper()
	if w.theirs == nil {
		return
	}
	all, err := w.certificates(w.ctx)
	w.must(err)
	for _, c := range all {
		text := func(path ...string) string {
			s, _, err := unstructured.NestedString(c.Object, path...)
			w.must(err)
			return s
		}
		list := func(path ...string) []string {
			s, _, err := unstructured.NestedStringSlice(c.Object, path...)
			w.must(err)
			return s
		}
		labels, _, err := unstructured.NestedStringMap(c.Object, "spec", "secretTemplate", "labels")
		w.must(err)
		name := text("spec", "secretName")
		if w.secret(name) != nil || text("spec", "issuerRef", "name") != "ours" {
			continue
		}
		w.must(w.c.Create(w.ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.ns, Labels: labels}, Type: corev1.SecretTypeTLS,
			Data: w.theirs.sign(list("spec", "uris")[0], list("spec", "dnsNames")...),
		}))
	}
}

func byCertManager(issuer string) func(*v1alpha1.RaftCluster) {
	return func(c *v1alpha1.RaftCluster) {
		c.Spec.TLS.Mode = v1alpha1.TLSCertManager
		c.Spec.TLS.IssuerRef = &v1alpha1.IssuerReference{Name: issuer}
	}
}

// cert-manager signs what the operator asks it to. Until it is there, and until it has
// signed, no pod is made, and the condition says what is missing.
func TestCertManager(t *testing.T) {
	w := newLoneWorld(t)
	w.create("demo", byCertManager("ours"))
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonCertManagerMissing))
	if got, want := message(t, c, v1alpha1.ConditionProgressing), "tls.mode is CertManager, but the API server knows no Certificate of cert-manager.io/v1; install cert-manager"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	w.wantNoPods()

	w.installCertManager()
	c = w.until(r, "demo", "stable", stable)
	if all := w.refusals(); len(all) > 0 {
		t.Error(all)
	}
	if w.secret(c.CASecretName()) != nil {
		t.Error("there is a CA of the operator's own")
	}
	n := &writes{}
	if _, err := w.pass(w.reconciler(n.wrap(w.c)), "demo"); err != nil || n.done > 0 {
		t.Errorf("at rest: %v, %v", n.log, err)
	}

	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 2 })
	w.wantMembers(w.until(r, "demo", "two", settledWith(2)), 1, 2)
	if all, err := w.certificates(w.ctx); err != nil || len(all) != 4 { // of two members, the operator and people
		t.Errorf("there are %d Certificates, %v", len(all), err)
	}

	w.changeSecret("demo-2-tls", func(s *corev1.Secret) { delete(s.Data, "ca.crt") })
	w.until(r, "demo", "told", func(c *v1alpha1.RaftCluster) bool {
		return hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonTLSInvalid)(c) &&
			strings.HasPrefix(message(t, c, v1alpha1.ConditionProgressing), "the Secret demo-2-tls, which cert-manager keeps, lacks ca.crt")
	})
}

// What cert-manager says of a certificate that it does not sign is handed on.
func TestCertManagerDoesNotSign(t *testing.T) {
	w := newLoneWorld(t)
	w.installCertManager()
	w.create("demo", byCertManager("nobody"))
	r := w.reconciler(w.c)
	w.until(r, "demo", "waiting", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonAwaitingCertificates))
	all, err := w.certificates(w.ctx)
	w.must(err)
	for _, c := range all {
		w.must(unstructured.SetNestedSlice(c.Object, []any{map[string]any{"type": "Ready", "status": "False", "message": "no issuer nobody"}}, "status", "conditions"))
		w.must(w.c.Status().Update(w.ctx, &c))
	}
	w.until(r, "demo", "told", func(c *v1alpha1.RaftCluster) bool {
		return strings.HasSuffix(message(t, c, v1alpha1.ConditionProgressing), "has not issued the certificate demo-1-tls yet; it says: no issuer nobody")
	})
	w.wantNoPods()
}
