//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// A client with the Secret that is made for clients gets in, others do not.
func TestClientsByMutualTLS(t *testing.T) {
	c := newCluster(namespace(t), "mutual")
	c.Spec.TLS.Clients = v1alpha1.ClientTLSSpec{Enabled: true, Mutual: true}
	apply(t, c)
	awaitAllReady(t, c, 60*time.Second)
	own := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.ClientTLSName()}}
	must(t, kube.Get(t.Context(), client.ObjectKeyFromObject(own), own))
	dir := t.TempDir()
	for key, value := range own.Data {
		must(t, os.WriteFile(filepath.Join(dir, key), value, 0o600))
	}
	f := forwardTo(t, pods(t, c)["1"])
	stranger := []string{"--cacert", filepath.Join(dir, "ca.crt"), "--command-timeout", "5s"}
	known := append(slices.Clip(stranger), "--cert", filepath.Join(dir, "tls.crt"), "--key", filepath.Join(dir, "tls.key"))
	etcdctl(t, "https://"+f.endpoint(), "", append(known, "put", "k", "v")...)
	if out, err := etcdctlCommand(t.Context(), "https://"+f.endpoint(), append(stranger, "put", "k", "w")...).CombinedOutput(); err == nil {
		t.Errorf("a client without a certificate writes: %s", out)
	}
	await(t, 30*time.Second, func(context.Context) (string, error) { // the refusal may have cost the port-forward
		if f.endpoint() == "" {
			return "no port-forward", nil
		}
		return "", nil
	})
	if got := etcdctl(t, "https://"+f.endpoint(), "", append(known, "get", "k", "--print-value-only")...); strings.TrimSpace(got) != "v" {
		t.Errorf("read %q, want v", got)
	}
}
