package pki

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/node/nodeapi"
)

// Terms are how long certificates hold.
type Terms struct {
	CA, Leaf    time.Duration
	RenewBefore time.Duration // of a leaf's end; 0: a third of its life
}

// overlap is how long a CA is trusted before it signs, for those who cannot be asked.
func (t Terms) overlap() time.Duration { return t.Leaf / 3 }

// Holder is somebody with a certificate.
type Holder struct {
	Subject
	Data map[string][]byte // of its Secret; nil: there is none
	// Runs: a pod has the Secret mounted. Told is what it said it has loaded; nil: nothing.
	Runs bool
	Told *nodeapi.TLS

	leaf    *x509.Certificate   // what Data holds, read once; nil where that cannot be used
	trusted []*x509.Certificate // what Data trusts
}

func (p *Picture) read() {
	p.Holders = slices.Clone(p.Holders)
	for i := range p.Holders {
		p.Holders[i].read()
	}
}

func (h *Holder) read() {
	h.trusted = nodeapi.ParseBundle(h.Data[KeyTrust])
	if pair, err := parsePair(h.Data[KeyCert], h.Data[KeyKey]); err == nil {
		h.leaf = pair.Leaf
	}
}

// Picture is all there is of a cluster's own certificates at one moment.
type Picture struct {
	Now     time.Time
	Cluster string // its name
	Terms   Terms
	CA      map[string][]byte // of the CA's Secret; nil: there is none
	Holders []Holder
}

// Kind is a kind of step.
type Kind string

// The kinds of steps. The first five write the CA's Secret, the others a holder's.
const (
	Found    Kind = "Found"    // the first CA
	Replace  Kind = "Replace"  // a CA in place of one that was lost; it does not sign yet
	Announce Kind = "Announce" // a CA in place of one that ends; it does not sign yet
	Promote  Kind = "Promote"  // the new CA signs
	Retire   Kind = "Retire"   // former CAs are not trusted any more
	Issue    Kind = "Issue"    // a holder gets a new certificate
	Trust    Kind = "Trust"    // a holder keeps its certificate and trusts what the CA's Secret says
)

// OfCA tells whether the step writes the CA's Secret.
func (k Kind) OfCA() bool { return k != Issue && k != Trust }

// Step is one Secret to be written.
type Step struct {
	Kind   Kind
	Holder *Holder // of Issue and Trust
	Why    string  // for people
}

// Plan is what Next decides.
type Plan struct {
	Steps   []Step // one of the CA's Secret, or any number of holders'
	Waiting string // what a rotation waits for; empty: for nothing
}

// Next gives the steps that are due. Those of holders rest on the CA's Secret as it is: no
// step of it comes together with one of theirs.
func Next(p Picture) Plan {
	a := parseAuthorities(p.CA)
	p.read()
	step, waiting := p.nextOfCA(&a)
	if step != nil {
		return Plan{Steps: []Step{*step}}
	}
	out := Plan{Waiting: waiting}
	for i := range p.Holders {
		if s := p.nextOf(&p.Holders[i], &a); s != nil {
			out.Steps = append(out.Steps, *s)
		}
	}
	return out
}

func (p *Picture) nextOfCA(a *authorities) (_ *Step, waiting string) {
	switch {
	case a.signing == nil && a.next == nil:
		if len(p.remembered()) == 0 {
			return &Step{Kind: Found, Why: "the cluster gets a CA"}, ""
		}
		return &Step{Kind: Replace, Why: "the CA's Secret is lost or damaged: a new CA is made known, and signs when every member trusts it"}, ""
	case a.next == nil && p.ends(a.signing.Cert):
		return &Step{Kind: Announce, Why: fmt.Sprintf("the CA %s ends at %s: a new one is made known", nodeapi.Serial(a.signing.Cert), date(a.signing.Cert))}, ""
	case a.next != nil:
		if waiting = p.beforePromotion(a); waiting != "" {
			return nil, fmt.Sprintf("the CA %s signs when it is trusted by all: %s", nodeapi.Serial(a.next.Cert), waiting)
		}
		return &Step{Kind: Promote, Why: fmt.Sprintf("the CA %s is trusted by all and signs from now on", nodeapi.Serial(a.next.Cert))}, ""
	}
	former := a.former()
	if len(former) == 0 {
		return nil, ""
	}
	if waiting = p.beforeRetirement(a, former); waiting != "" {
		return nil, fmt.Sprintf("the former CA is trusted until nobody uses a certificate of it: %s", waiting)
	}
	return &Step{Kind: Retire, Why: "nobody uses a certificate of the former CA " + serials(former) + ": it is not trusted any more"}, ""
}

// remembered are the CAs that holders trust and that have not ended: what is known of a
// CA whose Secret is lost.
func (p *Picture) remembered() []*x509.Certificate {
	var all []*x509.Certificate
	for _, h := range p.Holders {
		for _, c := range h.trusted {
			if p.Now.Before(c.NotAfter) && !slices.ContainsFunc(all, c.Equal) {
				all = append(all, c)
			}
		}
	}
	return all
}

// ends tells whether a CA must be replaced: two thirds of its life have passed, or a
// rotation and one more leaf do not fit into the rest.
func (p *Picture) ends(ca *x509.Certificate) bool {
	life := ca.NotAfter.Sub(issued(ca))
	rest := min(max(life/3, p.Terms.Leaf+p.Terms.overlap()), life/2)
	return !p.Now.Before(ca.NotAfter.Add(-rest))
}

// beforePromotion says what the next CA must wait for before it signs; empty: nothing.
func (p *Picture) beforePromotion(a *authorities) string {
	next := a.next.Cert
	if a.signing != nil && !p.Now.Before(a.signing.Cert.NotAfter.Add(-p.Terms.overlap())) {
		return "" // it must be now, or the former CA ends before the leaves have moved
	}
	for _, h := range p.Holders {
		if h.Data != nil && !slices.ContainsFunc(h.trusted, next.Equal) {
			return "the Secret " + h.Secret + " does not hold it yet"
		}
		if h.Runs && !h.hasLoaded(next) {
			return "member " + h.Name + " has not told yet that it does"
		}
	}
	if a.signing == nil {
		return "" // nothing is signed until then
	}
	if from := issued(next).Add(p.Terms.overlap()); p.Now.Before(from) {
		return "clients have until " + from.UTC().Format(time.RFC3339) + " to take up ca.crt"
	}
	return ""
}

// beforeRetirement says why former CAs must still be trusted; empty: they need not.
func (p *Picture) beforeRetirement(a *authorities, former []*x509.Certificate) string {
	if !slices.ContainsFunc(former, func(c *x509.Certificate) bool { return p.Now.Before(c.NotAfter) }) {
		return "" // they have ended, so nobody can use them
	}
	for _, h := range p.Holders {
		if h.leaf == nil || !a.signing.signed(h.leaf) {
			return "the Secret " + h.Secret + " holds no certificate of the present one yet"
		}
		if h.Runs && !h.uses(h.leaf) {
			return "member " + h.Name + " has not told yet that it uses its new certificate"
		}
	}
	if until := a.since.Add(p.Terms.Leaf + skew); !a.since.IsZero() && p.Now.Before(until) {
		return "clients may have one until " + until.UTC().Format(time.RFC3339)
	}
	return ""
}

// nextOf gives the step of one holder, nil for none.
func (p *Picture) nextOf(h *Holder, a *authorities) *Step {
	why := p.whyIssue(h, a)
	switch {
	case why != "" && (a.signing != nil || a.next != nil && p.useless(h)):
		return &Step{Kind: Issue, Holder: h, Why: why}
	case h.Data != nil && string(h.Data[KeyTrust]) != string(bundlePEM(a.trusted)):
		return &Step{Kind: Trust, Holder: h, Why: "the CAs to be trusted have changed"}
	}
	return nil
}

// useless tells whether a holder's certificate is taken by nobody. Where the CA is lost,
// one of the next CA is better than that, though not all trust it yet.
func (p *Picture) useless(h *Holder) bool { return h.leaf == nil || p.Now.After(h.leaf.NotAfter) }

// whyIssue says why a holder needs a new certificate; empty: it does not.
func (p *Picture) whyIssue(h *Holder, a *authorities) string {
	leaf := h.leaf
	switch {
	case h.Data == nil:
		return "it has none yet"
	case leaf == nil:
		return "what its Secret holds cannot be used"
	case !h.Subject.describes(leaf):
		return "it says something else than it should"
	case a.signing != nil && !a.signing.signed(leaf):
		return "it is of another CA"
	}
	life := leaf.NotAfter.Sub(issued(leaf))
	before := p.Terms.RenewBefore
	if before <= 0 || before >= life {
		before = life / 3
	}
	if !p.Now.Before(leaf.NotAfter.Add(-before)) {
		return "it ends at " + date(leaf)
	}
	return ""
}

// endpoints are those that told what they use.
func (h *Holder) endpoints() []*nodeapi.TLSFiles {
	if h.Told == nil {
		return nil
	}
	return slices.DeleteFunc([]*nodeapi.TLSFiles{h.Told.Peer, h.Told.Client, h.Told.Admin}, func(f *nodeapi.TLSFiles) bool { return f == nil })
}

// hasLoaded tells whether every endpoint that trusts anybody trusts that CA.
func (h *Holder) hasLoaded(ca *x509.Certificate) bool {
	all := h.endpoints()
	return len(all) > 0 && !slices.ContainsFunc(all, func(f *nodeapi.TLSFiles) bool {
		return len(f.Trusted) > 0 && !slices.Contains(f.Trusted, nodeapi.Serial(ca))
	})
}

// uses tells whether every endpoint uses that certificate.
func (h *Holder) uses(leaf *x509.Certificate) bool {
	all := h.endpoints()
	return len(all) > 0 && !slices.ContainsFunc(all, func(f *nodeapi.TLSFiles) bool { return f.Serial != nodeapi.Serial(leaf) })
}

// describes tells whether a certificate says what the subject is.
func (s Subject) describes(x *x509.Certificate) bool {
	return x.Subject.CommonName == s.Name && len(x.URIs) == 1 && x.URIs[0].String() == s.URI && slices.Equal(x.DNSNames, s.Hosts)
}

func date(x *x509.Certificate) string { return x.NotAfter.UTC().Format(time.RFC3339) }

func serials(all []*x509.Certificate) string {
	var s []string
	for _, x := range all {
		s = append(s, nodeapi.Serial(x))
	}
	return strings.Join(s, ", ")
}
