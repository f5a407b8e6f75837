package replica

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
)

// slowLog is the obvious twin of entryLog: all entries from index 1, nothing else.
type slowLog struct {
	base    protocol.Index
	entries []protocol.Entry
}

func (s *slowLog) term(i protocol.Index) (protocol.Term, bool) {
	switch {
	case i < s.base || int(i) > len(s.entries):
		return 0, false
	case i == 0:
		return 0, true
	}
	return s.entries[i-1].Term, true
}

// meet walks back one entry at a time.
func (s *slowLog) meet(id protocol.EntryID) protocol.EntryID {
	for i := min(id.Index, protocol.Index(len(s.entries))); i > s.base; i-- {
		if t := s.entries[i-1].Term; t <= id.Term {
			return protocol.EntryID{Term: t, Index: i}
		}
	}
	t, _ := s.term(s.base)
	return protocol.EntryID{Term: t, Index: s.base}
}

// TestEntryLogEqualsItsObviousTwin does everything that can be done to a log at random,
// and looks again at every slice that was ever handed out.
func TestEntryLogEqualsItsObviousTwin(t *testing.T) {
	for seed := range uint64(40) {
		if err := compareLogs(rand.New(rand.NewPCG(seed, 2)), 300); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func compareLogs(rng *rand.Rand, steps int) error {
	var fast entryLog
	var slow slowLog
	fast.first = 1
	term := protocol.Term(1)
	type lent struct{ given, copied []protocol.Entry }
	var out []lent
	for step := range steps {
		switch rng.IntN(6) {
		case 0, 1:
			term += protocol.Term(rng.IntN(3) / 2)
			for range rng.IntN(10) {
				e := protocol.Entry{Index: fast.last + 1, Term: term, Payload: fmt.Append(nil, step)}
				fast.append([]protocol.Entry{e})
				slow.entries = append(slow.entries, e)
			}
		case 2:
			if keep := fast.last - protocol.Index(rng.IntN(8)); keep <= fast.last && keep >= fast.base.Index {
				term++ // what replaces entries has a higher term
				fast.truncate(keep)
				slow.entries = slices.Clone(slow.entries[:keep])
			}
		case 3:
			fast.evict(rng.IntN(2000), fast.base.Index+protocol.Index(rng.IntN(int(fast.last-fast.base.Index)+1)))
		case 4:
			if rng.IntN(5) == 0 {
				at := fast.base.Index + protocol.Index(rng.IntN(int(fast.last-fast.base.Index)+1))
				fast.compact(fast.id(at))
				slow.base = at
			}
		case 5:
			if fast.first <= fast.last {
				s := fast.batch(fast.first+protocol.Index(rng.IntN(len(fast.tail))), rng.IntN(500))
				out = append(out, lent{s, slices.Clone(s)})
			}
		}
		if err := equalLogs(&fast, &slow, rng); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	for _, l := range out {
		if !slices.EqualFunc(l.copied, l.given, sameEntry) {
			return fmt.Errorf("a slice that was handed out has changed: %v, was %v", l.given, l.copied)
		}
	}
	return nil
}

func equalLogs(fast *entryLog, slow *slowLog, rng *rand.Rand) error {
	if err := fast.check(); err != nil {
		return err
	}
	if int(fast.last) != len(slow.entries) {
		return fmt.Errorf("last is %d, want %d", fast.last, len(slow.entries))
	}
	for i := range fast.last + 2 {
		got, ok := fast.term(i)
		if want, there := slow.term(i); got != want || ok != there {
			return fmt.Errorf("entry %d has term %d (%v), want %d (%v)", i, got, ok, want, there)
		}
	}
	if want := slow.entries[fast.first-1:]; !slices.EqualFunc(want, fast.tail, sameEntry) {
		return fmt.Errorf("the tail is %v, want %v", fast.tail, want)
	}
	at := protocol.EntryID{Term: protocol.Term(rng.IntN(int(fast.lastID().Term) + 2)), Index: fast.base.Index + protocol.Index(rng.IntN(int(fast.last-fast.base.Index)+3))}
	if got, want := fast.meet(at), slow.meet(at); got != want {
		return fmt.Errorf("meets %v at %v, want %v", at, got, want)
	}
	return nil
}

func sameEntry(a, b protocol.Entry) bool {
	return a.ID() == b.ID() && a.Kind == b.Kind && string(a.Payload) == string(b.Payload)
}

func TestTailIsBounded(t *testing.T) {
	var l entryLog
	l.first = 1
	const limit = 10_000
	for range 20_000 {
		l.push(1, protocol.EntryCommand, make([]byte, 68))
		l.evict(limit, l.last)
	}
	if l.bytes > limit || cap(l.tail) > 3*limit/100+100 {
		t.Errorf("%d bytes, room for %d entries, limit %d bytes", l.bytes, cap(l.tail), limit)
	}
}
