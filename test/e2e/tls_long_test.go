//go:build e2e && e2e_long

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// The CA is renewed, and every certificate twice or more, while clients write and connect
// by TLS: no pod is restarted and no call fails.
func TestCertificatesRotate(t *testing.T) {
	c := newCluster(namespace(t), "tls")
	c.Spec.TLS.LeafDuration = metav1.Duration{Duration: 10 * time.Minute}
	c.Spec.TLS.RenewBefore = metav1.Duration{Duration: 9*time.Minute + 30*time.Second}
	c.Spec.TLS.CADuration = metav1.Duration{Duration: time.Hour}
	c.Spec.TLS.Clients = v1alpha1.ClientTLSSpec{Enabled: true, Mutual: true}
	apply(t, c)
	a := begin(t, c, "rotation of CA and certificates")
	already := a.load.failures()
	before, first := pods(t, c), certificates(t, c)
	ca := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name + "-ca"}}
	must(t, kube.Delete(t.Context(), ca))
	a.killOperator()
	second := awaitRenewed(t, c, first)
	awaitRenewed(t, c, second)
	awaitStable(t, c, 60*time.Second)
	failed := a.load.failures() - already
	a.end(smooth)
	if failed > 0 {
		t.Errorf("%d calls failed during the rotation", failed)
	}
	wantNoRestart(t, c, before)
}

// certificates gives the fingerprint of each member's certificate, by member number.
func certificates(t *testing.T, c *v1alpha1.RaftCluster) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, m := range c.Status.Members {
		s := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: m.Name + "-tls"}}
		must(t, kube.Get(t.Context(), client.ObjectKeyFromObject(&s), &s))
		sum := sha256.Sum256(s.Data[corev1.TLSCertKey])
		out[idString(m.ID)] = hex.EncodeToString(sum[:])
	}
	return out
}

// awaitRenewed waits until every member has another certificate than before.
func awaitRenewed(t *testing.T, c *v1alpha1.RaftCluster, before map[string]string) map[string]string {
	t.Helper()
	var now map[string]string
	await(t, 300*time.Second, func(context.Context) (string, error) {
		now = certificates(t, c)
		for id, was := range before {
			if now[id] == was {
				return fmt.Sprintf("member %s has its old certificate; %s", id, progressOf(t, c)), nil
			}
		}
		return "", nil
	})
	return now
}
