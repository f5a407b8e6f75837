//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// In mode Secret certificates are somebody else's, here of a CA that the test has. They are
// renewed while clients write and connect by TLS: members use the new ones without a restart.
func TestSecretsAreRenewed(t *testing.T) {
	c := newCluster(namespace(t), "theirs")
	c.Spec.TLS.Mode = v1alpha1.TLSSecret
	c.Spec.TLS.Secrets = &v1alpha1.TLSSecrets{Members: "their-members", Operator: "their-operator"}
	c.Spec.TLS.Clients = v1alpha1.ClientTLSSpec{Enabled: true, Mutual: true}
	ca := newAuthority(t)
	first := ca.keep(t, c)
	apply(t, c)
	awaitStable(t, c, 60*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := first.dial(t, c).Put(ctx, "kept", "yes")
	must(t, err)
	first.awaitUsed(t, c)

	a := begin(t, c, "certificates of somebody else's CA renewed")
	already, before := a.load.failures(), pods(t, c)
	second := ca.keep(t, c)
	hasten(t, c)
	second.awaitUsed(t, c)
	a.load.awaitWrites(t, 300, 60*time.Second)
	awaitStable(t, c, 60*time.Second)
	failed := a.load.failures() - already
	a.end(smooth)
	if failed > 0 {
		t.Errorf("%d calls failed while the certificates were renewed", failed)
	}
	wantNoRestart(t, c, before)
	if v, err := get(t.Context(), second.dial(t, c), "kept"); err != nil || v != "yes" {
		t.Errorf("the key reads %q, %v with the new certificates", v, err)
	}
}

// secrets are what a cluster's Secrets hold that somebody else keeps.
type secrets struct {
	members, operator, client map[string][]byte
}

// keep signs new certificates for all who need one and writes their Secrets.
func (a *authority) keep(t *testing.T, c *v1alpha1.RaftCluster) *secrets {
	t.Helper()
	service := c.Name + "." + c.Namespace + ".svc"
	s := &secrets{
		members:  a.issue(t, "", "*."+c.PeersName()+"."+c.Namespace+".svc", service, "localhost"),
		operator: a.issue(t, fmt.Sprintf(nodeapi.URIOperator, c.TLSIdentity())),
		client:   a.issue(t, fmt.Sprintf(nodeapi.URIClient, c.TLSIdentity())),
	}
	for name, data := range map[string]map[string][]byte{
		c.Spec.TLS.Secrets.Members: s.members, c.Spec.TLS.Secrets.Operator: s.operator, c.ClientTLSName(): s.client,
	} {
		writeSecret(t, c.Namespace, name, data)
	}
	return s
}

// dial gives an etcd client for a member that shows the clients' certificate.
func (s *secrets) dial(t *testing.T, c *v1alpha1.RaftCluster) *clientv3.Client {
	t.Helper()
	secure, err := secureBy(s.client, "localhost")
	must(t, err)
	cl, err := dial(forwardTo(t, pods(t, c)["1"]).endpoint(), secure)
	must(t, err)
	t.Cleanup(func() { cl.Close() })
	return cl
}

func writeSecret(t *testing.T, namespace, name string, data map[string][]byte) {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	if live := (&corev1.Secret{ObjectMeta: meta}); exists(t, live) {
		live.Data = data
		must(t, kube.Update(t.Context(), live))
		return
	}
	must(t, kube.Create(t.Context(), &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeTLS, Data: data}))
}

// hasten makes kubelets look at their pods' Secrets. They do when a pod changes, and else
// every minute or so.
func hasten(t *testing.T, c *v1alpha1.RaftCluster) {
	t.Helper()
	for _, p := range pods(t, c) {
		must(t, kube.Patch(t.Context(), &p, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"secrets":"renewed"}}}`))))
	}
}

// awaitUsed waits until every endpoint of every member tells that it uses the members'
// certificate.
func (s *secrets) awaitUsed(t *testing.T, c *v1alpha1.RaftCluster) {
	t.Helper()
	start, serial := time.Now(), serialIn(t, s.members)
	for _, m := range c.Status.Members {
		f := forwardPort(t, pods(t, c)[idString(m.ID)], nodeapi.AdminPort)
		await(t, 180*time.Second, func(ctx context.Context) (string, error) {
			told, err := askTLS(ctx, f, s.operator, c.Host(m.ID))
			if err != nil {
				return "", err
			}
			for what, files := range map[string]*nodeapi.TLSFiles{"peer": told.Peer, "client": told.Client, "admin": told.Admin} {
				if files == nil || files.Serial != serial {
					return fmt.Sprintf("the %s endpoint of %s uses %+v, want the certificate %s", what, m.Name, files, serial), nil
				}
			}
			return "", nil
		})
	}
	t.Logf("every member uses the certificate %s after %.1f s", serial, time.Since(start).Seconds())
}
