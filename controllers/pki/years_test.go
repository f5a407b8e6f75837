package pki

import (
	"crypto/x509"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/node/nodeapi"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// secret is what a Secret holds, and since when.
type secret = map[string][]byte

// life is a cluster over years: what its Secrets hold, and what its members have loaded of
// them, which comes later.
type life struct {
	t       *testing.T
	random  *rand.Rand
	now     time.Time
	terms   Terms
	ca      secret
	secrets map[string]secret // of holders, by name
	members []Subject
	others  []Subject // operator, admin, clients
	loaded  map[string]secret
	late    map[string]int       // for how many passes
	silent  map[string]time.Time // members that do not answer until then
	steps   map[Kind]int
	known   verdicts
}

func newLife(t *testing.T, seed uint64) *life {
	l := &life{
		t: t, random: rand.New(rand.NewPCG(seed, 7)), now: epoch,
		terms:   Terms{CA: year, Leaf: 60 * day},
		secrets: map[string]secret{}, loaded: map[string]secret{}, silent: map[string]time.Time{}, late: map[string]int{}, steps: map[Kind]int{},
		known: verdicts{map[string][]*x509.Certificate{}, map[[2]*x509.Certificate]bool{}},
	}
	for id := int64(1); id <= 3; id++ {
		l.members = append(l.members, Member(demo(), id))
	}
	l.others = []Subject{Operator(demo()), Admin(demo()), Client(demo())}
	return l
}

func (l *life) picture() Picture {
	p := Picture{Now: l.now, Cluster: "demo", Terms: l.terms, CA: l.ca}
	for _, s := range slices.Concat(l.members, l.others) {
		h := Holder{Subject: s, Data: l.secrets[s.Secret], Runs: l.loaded[s.Secret] != nil}
		if h.Runs && !l.now.Before(l.silent[s.Secret]) {
			h.Told = told(l.loaded[s.Secret])
		}
		p.Holders = append(p.Holders, h)
	}
	return p
}

// told is what a node says of the files that it has loaded.
func told(data secret) *nodeapi.TLS {
	leaf := nodeapi.ParseBundle(data[KeyCert])[0]
	f := &nodeapi.TLSFiles{Serial: nodeapi.Serial(leaf), NotAfter: leaf.NotAfter, Trusted: []string{}}
	for _, c := range nodeapi.ParseBundle(data[KeyTrust]) {
		f.Trusted = append(f.Trusted, nodeapi.Serial(c))
	}
	return &nodeapi.TLS{Peer: f, Admin: f, Client: &nodeapi.TLSFiles{Serial: f.Serial, NotAfter: f.NotAfter, Trusted: []string{}}}
}

// operate is a pass of the operator, which may stop after any write.
func (l *life) operate() (writes int) {
	p := l.picture()
	for _, s := range Next(p).Steps {
		data, err := Do(p, s)
		if err != nil {
			l.t.Fatal(err)
		}
		l.steps[s.Kind]++
		if s.Kind.OfCA() {
			l.ca = data
		} else {
			l.secrets[s.Holder.Secret] = data
		}
		writes++
		if l.random.IntN(8) == 0 {
			break
		}
	}
	return writes
}

// mount is a pass of the kubelets: each member may load what its Secret holds by now, and
// does after three passes. Files that cannot be used leave the former ones in use.
func (l *life) mount(all bool) {
	for _, m := range l.members {
		data := l.secrets[m.Secret]
		if data == nil {
			continue
		}
		if l.late[m.Secret]++; !all && l.late[m.Secret] < 3 && l.random.IntN(2) == 0 {
			continue
		}
		l.late[m.Secret] = 0
		if _, err := parsePair(data[KeyCert], data[KeyKey]); err == nil && len(nodeapi.ParseBundle(data[KeyTrust])) > 0 {
			l.loaded[m.Secret] = maps.Clone(data)
		}
	}
}

// verdicts remembers which certificates were found to be of which CAs, since a life asks
// the same again and again.
type verdicts struct {
	certs  map[string][]*x509.Certificate // by PEM
	signed map[[2]*x509.Certificate]bool
}

func (v *verdicts) parse(text []byte) []*x509.Certificate {
	if all, ok := v.certs[string(text)]; ok {
		return all
	}
	all := nodeapi.ParseBundle(text)
	v.certs[string(text)] = all
	return all
}

// takes tells whether somebody with the bundle takes what is in the Secret, at that time.
func (v *verdicts) takes(bundle []byte, shown secret, now time.Time) bool {
	leaves := v.parse(shown[KeyCert])
	if len(leaves) == 0 || now.Before(leaves[0].NotBefore) || now.After(leaves[0].NotAfter) {
		return false
	}
	for _, ca := range v.parse(bundle) {
		pair := [2]*x509.Certificate{leaves[0], ca}
		signed, known := v.signed[pair]
		if !known {
			signed = leaves[0].CheckSignatureFrom(ca) == nil
			v.signed[pair] = signed
		}
		if signed && !now.Before(ca.NotBefore) && !now.After(ca.NotAfter) {
			return true
		}
	}
	return false
}

// refusals are those who would not take somebody now: a member another one's certificate, as
// it is loaded or lies in its Secret; a member the operator's; the operator a member's.
func (l *life) refusals() []string {
	var all []string
	check := func(who Subject, bundle []byte, of Subject, data secret, what string) {
		if !l.known.takes(bundle, data, l.now) {
			all = append(all, fmt.Sprintf("%s does not take %s of %s", who.Name, what, of.Name))
		}
	}
	for _, a := range l.members {
		if l.loaded[a.Secret] == nil {
			continue
		}
		bundle := l.loaded[a.Secret][KeyTrust]
		for _, b := range l.members {
			if l.loaded[b.Secret] != nil {
				check(a, bundle, b, l.loaded[b.Secret], "what is loaded")
				check(a, bundle, b, l.secrets[b.Secret], "what is next")
			}
		}
		for _, b := range l.others {
			check(a, bundle, b, l.secrets[b.Secret], "the certificate")
			check(b, l.secrets[b.Secret][KeyTrust], a, l.loaded[a.Secret], "what is loaded")
		}
	}
	return all
}

// settle lets operator and kubelets work until nothing changes.
func (l *life) settle() {
	l.t.Helper()
	for range 200 {
		if l.operate() == 0 {
			l.mount(true)
			if l.operate() == 0 {
				return
			}
		}
		l.mount(true)
	}
	l.t.Fatalf("it does not come to rest: %+v", Next(l.picture()))
}

// Years in which nothing is destroyed, but an operator that stops after any write,
// kubelets that are late, and members that do not answer for weeks: at no moment does
// anybody refuse anybody, and every CA is replaced in its time.
func TestYears(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, seed)
			l.settle()
			for step := 0; l.now.Before(epoch.Add(4 * year)); step++ {
				l.now = l.now.Add(time.Duration(1+l.random.IntN(96)) * time.Hour)
				if l.random.IntN(100) == 0 {
					m := l.members[l.random.IntN(3)]
					l.silent[m.Secret] = l.now.Add(time.Duration(l.random.IntN(20)) * day)
				}
				l.operate()
				if all := l.refusals(); len(all) > 0 {
					t.Fatalf("after %v: %v", l.now.Sub(epoch), all)
				}
				l.mount(false)
				if all := l.refusals(); len(all) > 0 {
					t.Fatalf("after %v, with new files: %v", l.now.Sub(epoch), all)
				}
			}
			if l.steps[Found] != 1 || l.steps[Replace] != 0 || l.steps[Announce] < 4 || l.steps[Retire] < l.steps[Promote]-1 || l.steps[Announce] > 8 {
				t.Errorf("steps: %v", l.steps)
			}
			t.Logf("%v", l.steps)
		})
	}
}

// Whatever is lost or damaged, in the end everybody takes everybody again, with one CA.
func TestWhatIsLostComesBack(t *testing.T) {
	ruin := map[string]func(*life){
		"the CA's Secret is deleted":             func(l *life) { l.ca = nil },
		"the CA's key is gone":                   func(l *life) { delete(l.ca, KeyKey) },
		"the CA's Secret is rubbish":             func(l *life) { l.ca = secret{KeyCert: []byte("x"), KeyKey: []byte("y"), KeyTrust: []byte("z")} },
		"a member's Secret is deleted":           func(l *life) { delete(l.secrets, l.members[1].Secret) },
		"the operator's Secret is deleted":       func(l *life) { delete(l.secrets, l.others[0].Secret) },
		"a member's key is another's":            func(l *life) { l.secrets[l.members[1].Secret][KeyKey] = l.secrets[l.members[0].Secret][KeyKey] },
		"a member trusts nobody":                 func(l *life) { l.secrets[l.members[1].Secret][KeyTrust] = nil },
		"the CA and a member are rubbish":        func(l *life) { l.ca = nil; l.secrets[l.members[1].Secret] = secret{KeyCert: nil, KeyKey: nil} },
		"everything but the pods is deleted":     func(l *life) { l.ca, l.secrets = nil, map[string]secret{} },
		"the operator sleeps for a leaf":         func(l *life) { l.now = l.now.Add(l.terms.Leaf + day) },
		"the operator sleeps for a CA":           func(l *life) { l.now = l.now.Add(l.terms.CA + day) },
		"the CA is lost and the operator sleeps": func(l *life) { l.ca = nil; l.operate(); l.now = l.now.Add(2 * l.terms.Leaf) },
		"the operator sleeps for two CAs":        func(l *life) { l.now = l.now.Add(2*l.terms.CA + day) },
		"a CA is announced and then lost":        func(l *life) { l.until(Announce); l.ca = nil },
		"a CA is promoted and then lost":         func(l *life) { l.until(Promote); l.ca = nil },
		"a CA is announced and has no key":       func(l *life) { l.until(Announce); delete(l.ca, keyNextKey) },
		"the terms become short":                 func(l *life) { l.terms = Terms{CA: 40 * day, Leaf: 10 * day} },
		"the terms become short and are odd":     func(l *life) { l.terms = Terms{CA: 40 * day, Leaf: 10 * day, RenewBefore: 9 * day} },
		"the terms become long":                  func(l *life) { l.terms = Terms{CA: 10 * year, Leaf: year} },
		"a member has not answered for ever": func(l *life) {
			l.silent[l.members[1].Secret] = l.now.Add(50 * year)
			l.now = l.now.Add(l.terms.CA * 9 / 10)
		},
		"a member's certificate says too few": func(l *life) { l.members[0].Hosts = append(l.members[0].Hosts, "new.test") },
	}
	for name, ruin := range ruin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, 1)
			l.settle()
			ruin(l)
			for range 24 {
				l.settle()
				l.now = l.now.Add(l.terms.Leaf / 8)
			}
			l.settle()
			if all := l.refusals(); len(all) > 0 {
				t.Errorf("in the end: %v", all)
			}
			for _, s := range slices.Concat(l.members, l.others) {
				if n := len(nodeapi.ParseBundle(l.secrets[s.Secret][KeyTrust])); n > 2 {
					t.Errorf("%s trusts %d CAs in the end", s.Name, n)
				}
			}
			t.Logf("%v", l.steps)
		})
	}
}

// until goes on until such a step was done.
func (l *life) until(k Kind) {
	l.t.Helper()
	had := l.steps[k]
	for range 1000 {
		if l.operate(); l.steps[k] > had {
			return
		}
		l.mount(true)
		l.now = l.now.Add(day)
	}
	l.t.Fatalf("no %s in a thousand days", k)
}

// A CA whose Secret is lost is replaced without a refusal, as fast as members tell that
// they trust the new one: so a person gets rid of a CA by deleting its Secret.
func TestDeletedCAIsReplacedWithoutARefusal(t *testing.T) {
	l := newLife(t, 3)
	l.settle()
	first := nodeapi.ParseBundle(l.ca[KeyCert])[0]
	l.ca = nil
	for range 60 {
		l.operate()
		if all := l.refusals(); len(all) > 0 {
			t.Fatalf("%v: %v", l.steps, all)
		}
		l.mount(false)
		l.now = l.now.Add(10 * time.Second)
	}
	for _, s := range slices.Concat(l.members, l.others) {
		if slices.ContainsFunc(nodeapi.ParseBundle(l.secrets[s.Secret][KeyTrust]), first.Equal) {
			t.Errorf("%s still trusts the CA that was deleted ten minutes ago", s.Name)
		}
	}
}

// What the steps are, in their order, each with what it waits for.
func TestOrderOfARotation(t *testing.T) {
	l := newLife(t, 2)
	l.settle()
	first := parseAuthorities(l.ca).signing
	l.now = first.Cert.NotAfter.Add(-l.terms.Leaf * 5)
	for l.now.Before(first.Cert.NotAfter) {
		l.settle()
		l.now = l.now.Add(day)
		if l.steps[Announce] > 0 {
			break
		}
	}
	wants := func(waiting string) {
		t.Helper()
		if got := Next(l.picture()); len(got.Steps) > 0 || got.Waiting != waiting {
			t.Fatalf("got %+v, want that it waits: %s", got, waiting)
		}
	}
	next := parseAuthorities(l.ca).next
	serial := nodeapi.Serial(next.Cert)
	old := maps.Clone(l.loaded)
	l.loaded[l.members[1].Secret] = old[l.members[0].Secret] // trusts both
	l.silent[l.members[1].Secret] = l.now.Add(year)
	wants("the CA " + serial + " signs when it is trusted by all: member demo-2 has not told yet that it does")
	delete(l.silent, l.members[1].Secret)
	wants("the CA " + serial + " signs when it is trusted by all: clients have until " +
		issued(next.Cert).Add(20*day).Format(time.RFC3339) + " to take up ca.crt")
	l.now = issued(next.Cert).Add(20 * day)
	if got := Next(l.picture()).Steps; len(got) != 1 || got[0].Kind != Promote {
		t.Fatalf("got %+v, want that it signs", got)
	}
	l.settle()
	if got := parseAuthorities(l.ca); !got.signing.is(next.Cert) || !got.since.Equal(l.now) {
		t.Fatalf("it signs since %v, want %v", got.since, l.now)
	}
	l.loaded[l.members[2].Secret] = told3(old)
	wants("the former CA is trusted until nobody uses a certificate of it: member demo-3 has not told yet that it uses its new certificate")
	l.mount(true)
	wants("the former CA is trusted until nobody uses a certificate of it: clients may have one until " +
		l.now.Add(60*day+skew).Format(time.RFC3339))
	l.now = l.now.Add(60*day + skew)
	l.settle()
	if got := parseAuthorities(l.ca); len(got.trusted) != 1 || !got.trusted[0].Equal(next.Cert) {
		t.Errorf("%d CAs are trusted in the end", len(got.trusted))
	}
}

func told3(old map[string]secret) secret { return old[Member(demo(), 3).Secret] }

// A leaf never outlives its CA, and holds a little earlier than now.
func TestLeafWithinItsCA(t *testing.T) {
	ca, err := NewAuthority("demo", epoch, 30*day)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.issue(Member(demo(), 1), epoch, 60*day)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := parsePair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if x := pair.Leaf; !x.NotAfter.Equal(ca.Cert.NotAfter) || !x.NotBefore.Equal(epoch.Add(-skew)) {
		t.Errorf("it holds from %v to %v", x.NotBefore, x.NotAfter)
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool(ca), CurrentTime: epoch, DNSName: "demo-1-0.demo-peers.default.svc"}); err != nil {
		t.Error(err)
	}
}

func pool(cas ...*Authority) *x509.CertPool {
	p := x509.NewCertPool()
	for _, a := range cas {
		p.AddCert(a.Cert)
	}
	return p
}

// What every pass over every cluster costs when nothing is due.
func BenchmarkNextAtRest(b *testing.B) {
	l := newLife(&testing.T{}, 1)
	l.settle()
	l.mount(true)
	p := l.picture()
	for b.Loop() {
		if got := Next(p); len(got.Steps) > 0 {
			b.Fatalf("%+v", got)
		}
	}
}
