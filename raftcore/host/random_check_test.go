package host_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/host"
)

// record is what clients were told. Of the final ledger, which all members have, it demands:
// what was acknowledged is there, at the position that the client was told; what was
// refused is not; nothing is there twice, and nothing that nobody proposed.
type record struct {
	test *testing.T

	mu           sync.Mutex
	all          map[string]bool  // payloads that were proposed
	acknowledged map[string]int   // payload to its position, from 1
	refused      map[string]error // nothing happened
}

func newRecord(t *testing.T) *record {
	return &record{test: t, all: map[string]bool{}, acknowledged: map[string]int{}, refused: map[string]error{}}
}

// asked notes what a client is about to propose.
func (r *record) asked(payload string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[payload] = true
}

// proposed takes what a client got.
func (r *record) proposed(payload string, result any, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.acknowledged[payload] = result.(int)
	case errors.Is(err, host.ErrNoLeader), errors.Is(err, host.ErrOverloaded), errors.Is(err, host.ErrTooLarge):
		r.refused[payload] = err
	case errors.Is(err, host.ErrUnknown), errors.Is(err, host.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		// It may or may not have happened.
	default:
		r.test.Errorf("proposing %.20q: %v", payload, err)
	}
}

func (r *record) acknowledgedSoFar() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.acknowledged)
}

// mustHold reports what is not where it was acknowledged.
func (r *record) mustHold(who string, entries []string, acknowledged map[string]int) {
	for payload, at := range acknowledged {
		switch {
		case at > len(entries):
			r.test.Errorf("%s has %d entries, but %.20q was acknowledged as the %d-th", who, len(entries), payload, at)
		case entries[at-1] != payload:
			r.test.Errorf("%s has %.20q as its %d-th entry, but %.20q was acknowledged there", who, entries[at-1], at, payload)
		}
	}
}

// mustBeRight judges a ledger at the end.
func (r *record) mustBeRight(who string, entries []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mustHold(who, entries, r.acknowledged)
	seen := map[string]int{}
	for i, payload := range entries {
		if before, twice := seen[payload]; twice {
			r.test.Errorf("%s has %.20q twice, as its %d-th and %d-th entry", who, payload, before+1, i+1)
		}
		seen[payload] = i
		if !r.all[payload] {
			r.test.Errorf("%s has %.20q, which nobody proposed", who, payload)
		}
		if err := r.refused[payload]; err != nil {
			r.test.Errorf("%s has %.20q, but its client was told that nothing happened: %v", who, payload, err)
		}
	}
}

// judge waits until the healed members have become one group again, and holds what they
// have against the record.
func (r *randomRun) judge() {
	r.t.Helper()
	for i, m := range r.members {
		r.until(fmt.Sprintf("member %d takes a command", m.id), func() bool {
			payload := fmt.Sprint("last of ", m.id, " at ", time.Now())
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			return r.propose(ctx, r.process(i), payload) == nil
		})
		r.readBarrier(r.process(i), 2*time.Second)
	}
	r.until("all have applied the same", r.converged)
	first, sessions := r.members[0].ledger.all(), r.members[0].Sessions()
	for _, m := range r.members {
		who := fmt.Sprint("member ", m.id)
		if f := m.Fault(); f != nil {
			r.t.Errorf("%s is fenced: %v", who, f)
		}
		entries := m.ledger.all()
		r.mustBeRight(who, entries)
		if d := cmp.Diff(first, entries); d != "" {
			r.t.Errorf("%s differs from member 1: %s", who, d)
		}
		if d := cmp.Diff(sessions, m.Sessions()); d != "" {
			r.t.Errorf("%s has other sessions than member 1: %s", who, d)
		}
	}
}

// converged reports whether all members have applied up to the same index, and have as
// many commands.
func (r *randomRun) converged() bool {
	first := r.members[0]
	return !slices.ContainsFunc(r.members, func(m *member) bool {
		return m.Applied() != first.Applied() || len(m.ledger.all()) != len(first.ledger.all())
	})
}
