package raftcluster

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/pki"
)

// short are terms that fit many rotations into a few days.
func short(c *v1alpha1.RaftCluster) {
	c.Spec.TLS.CADuration.Duration, c.Spec.TLS.LeafDuration.Duration = 96*time.Hour, 24*time.Hour
}

// secret gives a Secret, nil for none.
func (w *world) secret(name string) *corev1.Secret {
	w.t.Helper()
	var s corev1.Secret
	err := w.c.Get(w.ctx, types.NamespacedName{Namespace: w.ns, Name: name}, &s)
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return &s
}

// changeSecret does what a person does by hand.
func (w *world) changeSecret(name string, change func(*corev1.Secret)) {
	w.t.Helper()
	s := w.secret(name)
	change(s)
	w.must(w.c.Update(w.ctx, s))
}

func leafOf(t *testing.T, data map[string][]byte) *x509.Certificate {
	t.Helper()
	f, ok := readFiles(data)
	if !ok {
		t.Fatalf("a Secret that cannot be used: %v", data)
	}
	return f.cert.Leaf
}

// refusals are nodes that would not take what another one shows, or what lies in its
// Secret already.
func (w *world) refusals() []string {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	next := map[string]*x509.Certificate{} // of each node, what lies in its Secret
	var all []string
	for name, n := range w.nodes {
		if n == nil || n.files.cert == nil {
			continue
		}
		if s := w.secret(n.secret); s != nil {
			next[name] = leafOf(w.t, s.Data)
		} else {
			all = append(all, name+" has no Secret")
		}
	}
	for a, n := range w.nodes {
		for b, other := range w.nodes {
			if n == nil || other == nil || n.files.cert == nil || other.files.cert == nil {
				continue
			}
			if err := n.files.refuses(other.files.cert.Leaf, w.now); err != nil {
				all = append(all, fmt.Sprintf("%s does not take %s: %v", a, b, err))
			}
			if next[b] == nil {
				continue
			}
			if err := n.files.refuses(next[b], w.now); err != nil {
				all = append(all, fmt.Sprintf("%s does not take what is next of %s: %v", a, b, err))
			}
		}
	}
	return all
}

// upToDate tells whether no certificate step is due, and every node uses what it has.
func (w *world) upToDate(c *v1alpha1.RaftCluster) bool {
	w.t.Helper()
	o, err := w.reconciler(w.c).observe(w.ctx, client.ObjectKeyFromObject(c))
	w.must(err)
	_, due := o.OwnCA()
	for i := range o.Members {
		m := &o.Members[i]
		if m.Status == nil || m.Status.TLS == nil || m.Status.TLS.Peer.Serial != leafOf(w.t, o.SecretData(c.MemberTLSName(m.ID))).SerialNumber.Text(16) {
			return false
		}
	}
	return len(due.Steps) == 0
}

// A cluster comes with certificates: a Secret for each that needs one, and pods that know
// nothing of the CA's.
func TestCertificatesAreThereBeforePods(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	c := w.until(w.reconciler(w.c), "demo", "stable", stable)
	var names []string
	var list corev1.SecretList
	w.must(w.c.List(w.ctx, &list, client.InNamespace(w.ns), client.MatchingLabels{v1alpha1.LabelCluster: "demo"}))
	for _, s := range list.Items {
		names = append(names, s.Name)
		if !metav1.IsControlledBy(&s, c) {
			t.Errorf("Secret %s is not owned by the RaftCluster", s.Name)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"demo-1-tls", "demo-2-tls", "demo-3-tls", "demo-admin-tls", "demo-ca", "demo-operator-tls"}, names); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
	leaf := leafOf(t, w.secret("demo-2-tls").Data)
	if err := leaf.VerifyHostname("demo-2-0.demo-peers." + w.ns + ".svc"); err != nil {
		t.Error(err)
	}
	if got, want := leaf.URIs[0].String(), "quorate://demo."+w.ns+"/member/2"; got != want {
		t.Errorf("the member is %s, want %s", got, want)
	}
	for id := int64(1); id <= 3; id++ {
		if got := mountedSecret(w.pod(c.PodName(id))); got != c.MemberTLSName(id) {
			t.Errorf("the pod of member %d mounts %q", id, got)
		}
	}
	if got := w.eventsOf(v1alpha1.ReasonCertificatesIssued); len(got) != 1 {
		t.Errorf("told %d times that certificates are there: %v", len(got), got)
	}
	if all := w.refusals(); len(all) > 0 {
		t.Error(all)
	}
}

// Days in which leaves and CAs end and are replaced: no pod is restarted, nobody ever
// refuses anybody, and the operator always reaches every member.
func TestCertificatesRotate(t *testing.T) {
	w := newWorld(t)
	w.create("demo", short)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	pods := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")
	first := leafOf(t, w.secret("demo-ca").Data)
	for begin := w.clock(); w.clock().Before(begin.Add(150 * time.Hour)); w.advance(time.Hour) {
		w.late["demo-2-0"] = !w.late["demo-2-0"]
		for range 2 {
			if _, err := w.pass(r, "demo"); err != nil {
				t.Fatal(err)
			}
			if all := w.refusals(); len(all) > 0 {
				t.Fatalf("after %v: %v", w.clock().Sub(begin), all)
			}
		}
		if c := w.get("demo"); c.Status.Ready != "3/3" || !stable(c) {
			t.Fatalf("after %v: %s, %s", w.clock().Sub(begin), c.Status.Ready, message(t, c, v1alpha1.ConditionProgressing))
		}
	}
	if !slices.Equal(w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0"), pods) {
		t.Error("pods were restarted")
	}
	told := strings.Join(w.eventsOf(v1alpha1.ReasonCARotated), "\n")
	for _, s := range []string{"the cluster gets a CA", "a new one is made known", "is trusted by all and signs from now on", "it is not trusted any more"} {
		if !strings.Contains(told, s) {
			t.Errorf("no Event says %q:\n%s", s, told)
		}
	}
	for _, name := range []string{"demo-1-tls", "demo-2-tls", "demo-3-tls", "demo-admin-tls", "demo-operator-tls"} {
		if slices.ContainsFunc(filesOf(t, w.secret(name)).trusted, first.Equal) {
			t.Errorf("%s still trusts the first CA", name)
		}
	}
}

func filesOf(t *testing.T, s *corev1.Secret) files {
	t.Helper()
	f, ok := readFiles(s.Data)
	if !ok {
		t.Fatalf("Secret %s cannot be used", s.Name)
	}
	return f
}

// A CA does not sign before a member whose files are late trusts it; status says so.
func TestRotationWaitsForALateMember(t *testing.T) {
	w := newWorld(t)
	w.create("demo", short)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.must(w.c.Delete(w.ctx, w.secret("demo-ca"))) // which asks for a new CA
	w.late["demo-3-0"] = true
	const want = "signs when it is trusted by all: member demo-3 has not told yet that it does"
	w.until(r, "demo", "waiting for demo-3", func(c *v1alpha1.RaftCluster) bool {
		return stable(c) && strings.HasSuffix(message(t, c, v1alpha1.ConditionProgressing), want)
	})
	before := leafOf(t, w.secret("demo-1-tls").Data)
	for range 10 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
	}
	if !before.Equal(leafOf(t, w.secret("demo-1-tls").Data)) {
		t.Error("a certificate of the new CA is in use, which demo-3 would not take")
	}
	w.late["demo-3-0"] = false
	w.until(r, "demo", "rotated", func(c *v1alpha1.RaftCluster) bool {
		if all := w.refusals(); len(all) > 0 {
			t.Fatal(all)
		}
		return stable(c) && len(filesOf(t, w.secret("demo-1-tls")).trusted) == 1 && !before.Equal(leafOf(t, w.secret("demo-1-tls").Data))
	})
}

// What a person does to the Secrets is put right.
func TestSecretsChangedByHand(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	pods := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")
	mended := func(name string) func(*v1alpha1.RaftCluster) bool {
		return func(c *v1alpha1.RaftCluster) bool {
			s := w.secret(name)
			if s == nil || !stable(c) || s.Labels[v1alpha1.LabelCluster] != "demo" {
				return false
			}
			subject := pki.Operator(c)
			if s.Labels[v1alpha1.LabelMember] == "2" {
				subject = pki.Member(c, 2)
			}
			return pki.Problem(s.Data, subject, w.clock()) == "" && len(w.refusals()) == 0
		}
	}
	for _, name := range []string{"demo-2-tls", "demo-operator-tls"} {
		for what, change := range map[string]func(*corev1.Secret){
			"rubbish":   func(s *corev1.Secret) { s.Data["tls.crt"] = []byte("x") },
			"no CA":     func(s *corev1.Secret) { delete(s.Data, "ca.crt") },
			"no labels": func(s *corev1.Secret) { s.Labels = nil },
			"the other": func(s *corev1.Secret) { s.Data = w.secret("demo-admin-tls").Data },
		} {
			w.changeSecret(name, change)
			w.until(r, "demo", name+" mended from "+what, mended(name))
		}
		w.must(w.c.Delete(w.ctx, w.secret(name)))
		w.until(r, "demo", name+" there again", mended(name))
	}
	if !slices.Equal(w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0"), pods) {
		t.Error("pods were restarted")
	}
}

// A Secret of somebody else is never taken over.
func TestSecretOfSomebodyElse(t *testing.T) {
	w := newWorld(t)
	theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "demo-ca", Namespace: w.ns}, StringData: map[string]string{"a": "b"}}
	w.must(w.c.Create(w.ctx, theirs))
	w.create("demo", nil)
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonObjectConflict))
	if got, want := message(t, c, v1alpha1.ConditionProgressing), `Secret "demo-ca" exists and does not belong to this RaftCluster; rename or delete one of the two`; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	w.must(w.c.Delete(w.ctx, theirs))
	w.until(r, "demo", "stable", stable)
}

// Without TLS there is no Secret, and nodes are asked in plain text.
func TestDisabledTLS(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.TLS.Mode = v1alpha1.TLSDisabled })
	w.until(w.reconciler(w.c), "demo", "stable", stable)
	var list corev1.SecretList
	w.must(w.c.List(w.ctx, &list, client.InNamespace(w.ns)))
	if len(list.Items) > 0 {
		t.Errorf("there are %d Secrets", len(list.Items))
	}
}

// Clients get TLS by a roll-out, and a Secret with all that they need.
func TestClientTLS(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.TLS.Clients = v1alpha1.ClientTLSSpec{Enabled: true, Mutual: true} })
	order := w.roll(r, "demo", "rolled", func(c *v1alpha1.RaftCluster) bool { return stable(c) && w.secret("demo-client-tls") != nil })
	if diff := cmp.Diff([]string{"demo-2:", "demo-3:", "demo-1:"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if got, want := leafOf(t, w.secret("demo-client-tls").Data).URIs[0].String(), "quorate://demo."+w.ns+"/client"; got != want {
		t.Errorf("clients are %s, want %s", got, want)
	}
}

// theirs signs as somebody else's CA does.
type theirs struct {
	t *testing.T
	p pki.Picture
}

func newTheirs(t *testing.T, now time.Time) *theirs {
	t.Helper()
	p := pki.Picture{Now: now, Cluster: "theirs", Terms: pki.Terms{CA: 1000 * time.Hour, Leaf: 100 * time.Hour}}
	ca, err := pki.Do(p, pki.Step{Kind: pki.Found})
	if err != nil {
		t.Fatal(err)
	}
	p.CA = ca
	return &theirs{t, p}
}

func (x *theirs) sign(uri string, hosts ...string) map[string][]byte {
	x.t.Helper()
	h := pki.Holder{Subject: pki.Subject{Name: "theirs", URI: uri, Hosts: hosts}}
	data, err := pki.Do(x.p, pki.Step{Kind: pki.Issue, Holder: &h})
	if err != nil {
		x.t.Fatal(err)
	}
	return data
}

// In mode Secret nothing is made before the Secrets are right; what is wrong stands in
// the condition. Certificates that become wrong later stop roll-outs and nothing else.
func TestSecretsOfSomebodyElseAreExamined(t *testing.T) {
	w := newWorld(t)
	ca := newTheirs(t, w.clock())
	peers, operator := "*.demo-peers."+w.ns+".svc", "quorate://demo."+w.ns+"/operator"
	put := func(name string, data map[string][]byte) {
		t.Helper()
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.ns}, Data: data}
		if old := w.secret(name); old != nil {
			w.must(w.c.Delete(w.ctx, old))
		}
		w.must(w.c.Create(w.ctx, s))
	}
	w.create("demo", func(c *v1alpha1.RaftCluster) {
		c.Spec.TLS.Mode, c.Spec.TLS.Secrets = v1alpha1.TLSSecret, &v1alpha1.TLSSecrets{Members: "ours", Operator: "op"}
	})
	r := w.reconciler(w.c)
	refused := func(problem string) {
		t.Helper()
		w.until(r, "demo", "refused: "+problem, func(c *v1alpha1.RaftCluster) bool {
			return hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonTLSInvalid)(c) &&
				message(t, c, v1alpha1.ConditionProgressing) == problem+"; nothing is created or restarted until that is mended"
		})
	}
	refused("the Secret op does not exist; the Secret ours does not exist")
	w.must(w.c.Create(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "ours", Namespace: w.ns}, Data: map[string][]byte{"tls.crt": []byte("x")}}))
	put("op", ca.sign(operator))
	refused("the Secret ours lacks tls.key, ca.crt")
	put("ours", ca.sign("spiffe://x/demo", "*.other-peers."+w.ns+".svc"))
	refused("the Secret ours has a certificate that is not made for demo-3-0.demo-peers." + w.ns + ".svc")
	put("ours", ca.sign("spiffe://x/demo", peers))
	put("op", ca.sign("quorate://demo.elsewhere/operator"))
	refused("the Secret op has a certificate without the URI " + operator)
	w.wantNoPods()
	put("op", ca.sign(operator))
	w.until(r, "demo", "stable", stable)
	if got := mountedSecret(w.pod("demo-1-0")); got != "ours" {
		t.Errorf("the pod mounts %q", got)
	}

	good := w.secret("ours").Data
	put("ours", newTheirs(t, w.clock()).sign("spiffe://x/demo", peers))
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	w.until(r, "demo", "held up", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonTLSInvalid))
	for range 5 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.restartsSeen(); n > 0 {
		t.Errorf("%d pods were restarted with certificates that do not fit", n)
	}
	put("ours", good)
	w.until(r, "demo", "rolled", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == "node:2" })
}

func (w *world) wantNoPods() {
	w.t.Helper()
	var pods corev1.PodList
	w.must(w.c.List(w.ctx, &pods, client.InNamespace(w.ns)))
	if len(pods.Items) > 0 {
		w.t.Errorf("there are %d pods", len(pods.Items))
	}
}
