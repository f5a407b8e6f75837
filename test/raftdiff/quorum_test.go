package raftdiff

// Majorities, single and joint (paper section 6): what is committed, and whether an
// election is won, lost or open.

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	peer "go.etcd.io/raft/v3/quorum"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/quorum"
)

var seed = flag.Uint64("seed", 1, "of all that is random; 0: by the clock")

// dice gives a source of the seed, and prints that if the test fails.
func dice(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("see it again by -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	return rand.New(rand.NewPCG(s, 1))
}

// ballots is what is asked about a configuration: how far each member's log is known to
// match, and what it has voted, if it has.
type ballots struct {
	match map[uint64]peer.Index
	votes map[uint64]bool
}

// AckedIndex implements the peer's AckedIndexer.
func (b ballots) AckedIndex(id uint64) (peer.Index, bool) { i, ok := b.match[id]; return i, ok }

func draw(r *rand.Rand) (quorum.Config, peer.JointConfig, ballots) {
	ours := quorum.Config{Incoming: voters(r)}
	if r.IntN(2) == 0 {
		ours.Outgoing = voters(r)
	}
	b := ballots{match: map[uint64]peer.Index{}, votes: map[uint64]bool{}}
	for id := uint64(1); id <= pool; id++ {
		if r.IntN(4) > 0 {
			b.match[id] = peer.Index(r.IntN(9))
		}
		if r.IntN(4) > 0 {
			b.votes[id] = r.IntN(3) > 0
		}
	}
	return ours, peer.JointConfig{majority(ours.Incoming), majority(ours.Outgoing)}, b
}

// pool is how many members there are to choose from.
const pool = 12

// voters draws at least one: a membership without voters does not exist with us.
func voters(r *rand.Rand) []protocol.MemberID {
	n := 1 + r.IntN(9)
	var ids []protocol.MemberID
	for id := range pool {
		if r.IntN(pool-id) < n-len(ids) {
			ids = append(ids, protocol.MemberID(id+1))
		}
	}
	return ids
}

func majority(ids []protocol.MemberID) peer.MajorityConfig {
	c := peer.MajorityConfig{}
	for _, id := range ids {
		c[uint64(id)] = struct{}{}
	}
	return c
}

// TestQuorums asks both the same about random configurations.
func TestQuorums(t *testing.T) {
	r := dice(t)
	seen := map[any]int{}
	for range 30_000 {
		ours, theirs, b := draw(r)
		committed := ours.Committed(func(id protocol.MemberID) protocol.Index { return protocol.Index(b.match[uint64(id)]) })
		if want := theirs.CommittedIndex(b); uint64(committed) != uint64(want) {
			t.Fatalf("%v with match %v: committed is %d, the peer says %d", theirs, b.match, committed, want)
		}
		won := ours.Reached(func(id protocol.MemberID) bool { return b.votes[uint64(id)] })
		open := ours.Reached(func(id protocol.MemberID) bool { yes, voted := b.votes[uint64(id)]; return yes || !voted })
		want := theirs.VoteResult(b.votes)
		if won != (want == peer.VoteWon) || !open != (want == peer.VoteLost) {
			t.Fatalf("%v with votes %v: won is %v, open is %v, the peer says %v", theirs, b.votes, won, open, want)
		}
		for id := uint64(1); id <= pool; id++ {
			if _, has := theirs.IDs()[id]; has != ours.Has(protocol.MemberID(id)) {
				t.Fatalf("%v: member %d is a voter: %v, the peer says %v", theirs, id, !has, has)
			}
		}
		seen[want]++
		seen[committed]++
	}
	for _, x := range []any{peer.VoteWon, peer.VoteLost, peer.VotePending, protocol.Index(0), protocol.Index(7)} {
		if seen[x] == 0 {
			t.Errorf("%v was never the answer: %v", x, seen)
		}
	}
}
