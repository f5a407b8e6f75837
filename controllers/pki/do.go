package pki

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Do gives what the Secret that a step writes holds afterwards. The only thing that
// differs from one call to the next are the keys that it draws.
func Do(p Picture, s Step) (map[string][]byte, error) {
	a := parseAuthorities(p.CA)
	p.read()
	if s.Kind.OfCA() {
		if err := p.change(&a, s.Kind); err != nil {
			return nil, err
		}
		return a.data()
	}
	data := maps.Clone(s.Holder.Data)
	if s.Kind == Issue {
		signer := a.signing
		if signer == nil {
			signer = a.next
		}
		cert, key, err := signer.issue(s.Holder.Subject, p.Now, p.Terms.Leaf)
		if err != nil {
			return nil, err
		}
		data = map[string][]byte{KeyCert: cert, KeyKey: key}
	}
	data[KeyTrust] = bundlePEM(a.trusted)
	return data, nil
}

func (p *Picture) change(a *authorities, kind Kind) error {
	switch kind {
	case Promote:
		a.since = p.Now
		if a.signing == nil {
			a.since = time.Time{} // a person wants to be rid of the former CA, or nobody has its key: no time is given
		}
		a.signing, a.next = a.next, nil
		return nil
	case Retire:
		former := a.former()
		a.trusted = slices.DeleteFunc(a.trusted, func(c *x509.Certificate) bool { return slices.ContainsFunc(former, c.Equal) })
		return nil
	}
	fresh, err := NewAuthority(p.Cluster, p.Now, p.Terms.CA)
	if err != nil {
		return err
	}
	switch kind {
	case Found:
		a.signing, a.since = fresh, p.Now
	case Announce:
		a.next = fresh
	case Replace:
		for _, c := range p.remembered() {
			a.trust(c)
		}
		a.next = fresh
	default:
		return fmt.Errorf("pki: no step %q", kind)
	}
	a.trust(fresh.Cert)
	return nil
}
