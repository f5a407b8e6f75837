package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/quorate/quorate/node/nodeapi"
)

// rotation is a trio whose members have certificates of their own, and clients that
// connect anew again and again while those are replaced.
type rotation struct {
	*trio
	own     [3]*credential
	trusted [3][]*credential
	client  atomic.Pointer[tls.Config]

	mu       sync.Mutex
	writes   int
	failures []string
	longest  time.Duration
}

func memberURI(member int) string { return fmt.Sprintf("quorate://c/member/%d", member) }

func startRotation(t *testing.T) *rotation {
	t.Helper()
	r := &rotation{trio: &trio{t: t, base: freeBase(t, 3), dir: t.TempDir(), ca: newCA(t, "first")}}
	for i := range r.files {
		r.files[i] = newSecret(t)
		r.issue(i+1, r.ca)
		r.trust(i+1, r.ca)
	}
	r.client.Store(clientTLS(r.ca.leaf(t, "quorate://c/client"), r.ca))
	r.startAll()
	return r
}

// issue gives a member a certificate of the CA.
func (r *rotation) issue(member int, ca *credential) {
	r.own[member-1] = ca.leaf(r.t, memberURI(member))
	r.put(member)
}

// trust lets a member trust these and no others.
func (r *rotation) trust(member int, cas ...*credential) {
	r.trusted[member-1] = cas
	r.put(member)
}

func (r *rotation) put(member int) {
	own := r.own[member-1]
	r.files[member-1].put(own, own, r.trusted[member-1]...)
}

// await waits until a member tells that all its endpoints use what it was given: the
// evidence that an operator goes by.
func (r *rotation) await(member int) {
	r.t.Helper()
	serial := r.own[member-1].cert.SerialNumber.Text(16)
	var cas []string
	for _, ca := range r.trusted[member-1] {
		cas = append(cas, ca.cert.SerialNumber.Text(16))
	}
	eventually(r.t, fmt.Sprintf("member %d tells that it uses its new files", member), func() error {
		s, err := status(httpsClient(r.tls()), r.admin(member))
		if err != nil {
			return err
		}
		for _, e := range []*nodeapi.TLSFiles{s.TLS.Peer, s.TLS.Client, s.TLS.Admin} {
			if e.Serial != serial || !slices.Equal(e.Trusted, cas) || e.Problem != "" {
				return fmt.Errorf("%+v, want serial %s and CAs %v", e, serial, cas)
			}
		}
		return nil
	})
}

// write writes through one member, with a new connection every few times, until ctx ends.
func (r *rotation) write(ctx context.Context, member int) {
	for n := 0; ctx.Err() == nil; n++ {
		x, err := clientv3.New(clientv3.Config{Endpoints: []string{r.endpoint(member)}, TLS: r.client.Load(), DialTimeout: patience})
		if err != nil {
			r.note(ctx, 0, err)
			return
		}
		for i := range 5 {
			began := time.Now()
			once, cancel := context.WithTimeout(ctx, patience)
			_, err := x.Put(once, fmt.Sprintf("rotation/%d/%d/%d", member, n, i), strconv.Itoa(n))
			cancel()
			r.note(ctx, time.Since(began), err)
		}
		x.Close() //nolint:errcheck // it was used up
	}
}

func (r *rotation) note(ctx context.Context, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil && err != nil:
	case err != nil:
		r.failures = append(r.failures, err.Error())
	default:
		r.writes++
		r.longest = max(r.longest, took)
	}
}

// more waits until clients have written n times more, most of it over new connections.
func (r *rotation) more(n int) {
	r.t.Helper()
	count := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.writes
	}
	from := count()
	eventually(r.t, "clients write on", func() error {
		if got := count(); got < from+n {
			return fmt.Errorf("%d more", got-from)
		}
		return nil
	})
}

// Leaf and CA are replaced as the operator does it, member by member, while clients write
// over new connections all the time: no request fails. Afterwards each member starts
// anew: they find each other by the new certificates alone. One that shows the
// certificate of another is not believed.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	r := startRotation(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer func() { cancel(); wg.Wait() }()
	for i := range 6 {
		wg.Go(func() { r.write(ctx, i%3+1) })
	}
	r.more(100)
	first, next := r.ca, newCA(t, "next")
	each := func(f func(member int)) {
		t.Helper()
		for m := 1; m <= 3; m++ {
			f(m)
			r.await(m)
			r.more(30)
		}
	}
	each(func(m int) { r.issue(m, first) })
	each(func(m int) { r.trust(m, first, next) })
	r.next = next
	r.client.Store(clientTLS(first.leaf(t, "quorate://c/client"), first, next))
	r.more(100)
	each(func(m int) { r.issue(m, next) })
	r.client.Store(clientTLS(next.leaf(t, "quorate://c/client"), next))
	r.more(100)
	r.ca, r.next = next, nil
	each(func(m int) { r.trust(m, next) })
	r.more(100)
	cancel()
	wg.Wait()
	t.Logf("%d writes through two CAs, the longest took %v", r.writes, r.longest)
	if len(r.failures) > 0 {
		t.Errorf("%d requests failed: %v", len(r.failures), r.failures)
	}
	for m := 1; m <= 3; m++ {
		r.members[m-1].stop(syscall.SIGTERM)
		r.start(m)
		r.ready(m)
	}
	r.leader(t)
	r.testImpostor(t)
}

// testImpostor starts member 3 with the certificate of member 2: nobody believes it.
func (r *rotation) testImpostor(t *testing.T) {
	r.members[2].stop(syscall.SIGTERM)
	r.own[2] = r.ca.leaf(t, memberURI(2))
	r.put(3)
	r.start(3)
	for i := 1; i <= 2; i++ {
		eventually(t, fmt.Sprintf("member %d does not take the impostor", i), func() error {
			for _, l := range lines(r.members[2].out.String()) {
				if l.Member == i && l.Reason == "TLS" && strings.Contains(l.Error, "the certificate is that of "+memberURI(2)+", not of "+memberURI(3)) {
					return nil
				}
			}
			return errors.New("not yet")
		})
	}
	if s, err := status(httpsClient(r.tls()), r.admin(3)); err != nil || s.LeaderID != 0 {
		t.Errorf("the impostor has a leader: %+v, %v", s, err)
	}
	r.issue(3, r.ca)
	r.ready(3)
}
