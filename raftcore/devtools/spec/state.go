package spec

import (
	"bytes"
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
)

// The nouns, short.
type (
	server = protocol.MemberID
	term   = protocol.Term
	index  = protocol.Index
	entry  = protocol.Entry
)

// serverState is the specification's state of a server.
type serverState uint8

const (
	follower serverState = iota
	candidate
	leader
)

func (s serverState) String() string { return [...]string{"Follower", "Candidate", "Leader"}[s] }

// persistent is what a server must have on disk (paper figure 2).
type persistent struct {
	currentTerm term
	votedFor    server
	log         sequence
}

// variables are one server's.
type variables struct {
	persistent  // as the server sees it
	state       serverState
	commitIndex index

	votesResponded, votesGranted map[server]bool
	nextIndex, matchIndex        map[server]index

	// Beyond the specification.
	durable    persistent
	writes     []write             // on their way to the disk, in order
	founding   protocol.Membership // the configuration before the first one in the log; who joins knows none
	membership protocol.Membership // the one in effect, by which quorums are counted
}

// write is what one Persist or Install brings to the disk.
type write struct {
	seq     uint64
	hard    *protocol.HardState
	at      index // entries are inserted here, what follows is cut off; 0: the log stays
	entries []entry
}

// sequence is a log: the entry of index i is at i-1.
type sequence []entry

func (l sequence) len() index { return index(len(l)) }

// term gives the term of the entry at i, 0 where there is none.
func (l sequence) term(i index) term {
	if i < 1 || i > l.len() {
		return 0
	}
	return l[i-1].Term
}

// lastTerm is the specification's LastTerm.
func (l sequence) lastTerm() term { return l.term(l.len()) }

func (l sequence) last() protocol.EntryID {
	return protocol.EntryID{Term: l.lastTerm(), Index: l.len()}
}

// has reports whether the log has the entry, which is true of the place before the first one.
func (l sequence) has(id protocol.EntryID) bool {
	return id.Index <= l.len() && l.term(id.Index) == id.Term
}

// insert puts entries at an index and cuts off what follows.
func (l sequence) insert(at index, entries []entry) sequence { return append(l[:at-1], entries...) }

func same(a, b entry) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Kind == b.Kind && bytes.Equal(a.Payload, b.Payload)
}

// sent is what is known of a message.
type sent struct {
	left  bool // it may arrive; until then it waits for the sender's disk
	taken int
}

// reign is the leadership of a term, as in the specification's elections.
type reign struct {
	leader server
	log    sequence // as it was when the reign ended; nil while it goes on
}

// offer is a snapshot that a leader wanted to be sent to a server.
type offer struct {
	from, to server
	in       term
}

// Check explains what an observed cluster does. Make one for each run.
type Check struct {
	servers  map[server]*variables
	messages map[protocol.Message]*sent

	// History, which the specification keeps for its proof too.
	reigns    map[term]*reign
	committed sequence
	offers    map[offer]bool
	offered   map[server]bool // a snapshot was ever sent to it

	founding       protocol.Membership                      // that the group began with
	configurations map[protocol.EntryID]protocol.Membership // as the entries say

	counts map[string]int // of the actions
}

// New gives a check of a cluster that has not started yet.
func New() *Check {
	return &Check{
		servers: map[server]*variables{}, messages: map[protocol.Message]*sent{},
		reigns: map[term]*reign{}, offers: map[offer]bool{}, offered: map[server]bool{},
		configurations: map[protocol.EntryID]protocol.Membership{}, counts: map[string]int{},
	}
}

// Actions gives how often each action has explained something.
func (c *Check) Actions() map[string]int { return c.counts }

// did counts an action, whose guard holds.
func (c *Check) did(action string) error {
	c.counts[action]++
	return nil
}

// disabled tells which guard does not hold.
func disabled(action, format string, args ...any) error {
	return fmt.Errorf("%s is not enabled: %s", action, fmt.Sprintf(format, args...))
}

// isQuorum is "set \in Quorum".
func isQuorum(m protocol.Membership, set func(server) bool) bool {
	return isMajority(m.Voters(), set) && (len(m.Outgoing) == 0 || isMajority(m.Outgoing, set))
}

func isMajority(voters []server, set func(server) bool) bool {
	n := 0
	for _, id := range voters {
		if set(id) {
			n++
		}
	}
	return 2*n > len(voters)
}

// reignLog gives the log of a term's leader, as far as it came.
func (c *Check) reignLog(t term) (sequence, bool) {
	r := c.reigns[t]
	if r == nil {
		return nil, false
	}
	if r.log != nil {
		return r.log, true
	}
	return c.servers[r.leader].log, true
}

// endReign keeps the log of a leader that leads no longer.
func (c *Check) endReign(i server) {
	v := c.servers[i]
	if r := c.reigns[v.currentTerm]; v.state == leader && r != nil {
		r.log = append(sequence{}, v.log...)
	}
}
