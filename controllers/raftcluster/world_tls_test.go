package raftcluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/node/nodeapi"
)

// files is what a node has read of its Secret: its certificate, and whom it trusts.
type files struct {
	cert    *tls.Certificate
	trusted []*x509.Certificate
}

// readFiles reads what a Secret holds; false: it cannot be used, and what a node had goes on.
func readFiles(data map[string][]byte) (files, bool) {
	pair, err := tls.X509KeyPair(data["tls.crt"], data["tls.key"])
	if err != nil {
		return files{}, false
	}
	f := files{cert: &pair}
	for text := data["ca.crt"]; ; {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return f, len(f.trusted) > 0
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			f.trusted = append(f.trusted, c)
		}
	}
}

// told is what /statusz says of them.
func (f files) told() *nodeapi.TLS {
	if f.cert == nil {
		return nil
	}
	t := &nodeapi.TLSFiles{Serial: f.cert.Leaf.SerialNumber.Text(16), NotAfter: f.cert.Leaf.NotAfter, Trusted: []string{}}
	for _, c := range f.trusted {
		t.Trusted = append(t.Trusted, c.SerialNumber.Text(16))
	}
	return &nodeapi.TLS{Peer: t, Admin: t}
}

func (f files) pool() *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range f.trusted {
		p.AddCert(c)
	}
	return p
}

// refuses says why one that trusts these does not take a certificate at that time, as a
// server and as a client.
func (f files) refuses(leaf *x509.Certificate, now time.Time) error {
	for _, u := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: f.pool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{u}}); err != nil {
			return err
		}
	}
	return nil
}

func mountedSecret(pod *corev1.Pod) string {
	for _, v := range pod.Spec.Volumes {
		if v.Name == "tls" {
			return v.Secret.SecretName
		}
	}
	return ""
}

// mountFiles does what kubelets do with changed Secrets. A pod whose Secret is missing
// would not start: the operator must not make one.
func (w *world) mountFiles() {
	w.t.Helper()
	w.mu.Lock()
	mounts := map[string]*node{}
	for pod, n := range w.nodes {
		if n != nil && n.secret != "" && !w.late[pod] {
			mounts[pod] = n
		}
	}
	w.mu.Unlock()
	if len(mounts) == 0 {
		return
	}
	var list corev1.SecretList
	w.must(w.c.List(w.ctx, &list, client.InNamespace(w.ns)))
	secrets := map[string]map[string][]byte{}
	for i := range list.Items {
		secrets[list.Items[i].Name] = list.Items[i].Data
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for pod, n := range mounts {
		data, there := secrets[n.secret]
		if f, ok := readFiles(data); ok {
			n.files = f
		} else if !there && n.files.cert == nil { // else the kubelet keeps the former files
			w.t.Errorf("pod %s cannot start: there is no Secret %s", pod, n.secret)
		}
	}
}

// serveTLS plays the admin endpoints of all nodes that speak TLS, each with its own files.
func (w *world) serveTLS() {
	server := httptest.NewUnstartedServer(w)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refusals are part of the tests
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		pod, _, _ := strings.Cut(hello.ServerName, ".")
		w.mu.Lock()
		defer w.mu.Unlock()
		n, now := w.nodes[pod], w.now
		if n == nil || n.files.cert == nil {
			return nil, fmt.Errorf("no node %s with TLS", pod)
		}
		return &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*n.files.cert},
			ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: n.files.pool(), Time: func() time.Time { return now },
		}, nil
	}}
	server.StartTLS()
	w.t.Cleanup(server.Close)
	w.tls = server.Listener.Addr().String()
}

// admits tells whether a node takes a request: with TLS from the operator only, which is
// known by its certificate.
func (n *node) admits(w *world, r *http.Request) bool {
	if n.secret == "" {
		return r.TLS == nil
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(r.Host, n.status.Name+"-0."), ".")
	want := fmt.Sprintf(nodeapi.URIOperator, strings.TrimSuffix(name, "-peers")+"."+w.ns)
	uris := r.TLS.VerifiedChains[0][0].URIs
	return len(uris) == 1 && uris[0].String() == want
}
