package devtools_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// perform plays with the first seed that casts as the text tells.
func perform(t *testing.T, options func(uint64) sim.Options, stage func(*play) bool) *play {
	t.Helper()
	const seeds = 500
	for seed := uint64(1); seed <= seeds; seed++ {
		c, err := sim.New(options(seed))
		if err != nil {
			t.Fatal(err)
		}
		p := &play{T: t, Cluster: c, seed: seed}
		if stage(p) {
			t.Logf("seed %d", seed)
			return p
		}
	}
	t.Fatalf("none of the first %d seeds arranges the situation", seeds)
	return nil
}

const millisecond = sim.Millisecond

// play is a cluster on its way into a situation.
type play struct {
	*testing.T
	*sim.Cluster
	seed   uint64
	events []pauser.Event
	hidden [][2]int // ranges of events that are not drawn
}

func (p *play) until(met pauser.Condition) pauser.Event {
	p.Helper()
	e, err := p.Cluster.Run(met, sim.Second)
	if err != nil {
		p.Fatalf("seed %d: %v", p.seed, err)
	}
	return e
}

// pass lets some time pass.
func (p *play) pass(d sim.Time) {
	p.Helper()
	for end := p.Now() + d; p.Now() < end; {
		if err := p.Next(); err != nil {
			p.Fatal(err)
		}
	}
}

// claim fails the test when what the document says is not so.
func (p *play) claim(what string, holds bool) {
	p.Helper()
	if !holds {
		p.Errorf("seed %d: the document says that %s, but it is not so", p.seed, what)
	}
}

// say puts a note into the picture.
func (p *play) say(id protocol.MemberID, format string, args ...any) {
	p.events = append(p.events, pauser.Event{Kind: pauser.Fault, Member: id, Note: fmt.Sprintf(format, args...)})
}

// begin lets member 1 be elected and its NoOp, entry 1 of term 1, be applied
// everywhere; the picture begins there. It reports false when another one wins, or
// not at once.
func (p *play) begin() bool {
	p.Helper()
	if p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member != 1 {
		return false
	}
	for _, s := range p.Status() {
		p.until(pauser.AppliedReaches(s.Member, 1))
	}
	for _, s := range p.Status() {
		if s.Term != 1 || s.Last != 1 {
			return false
		}
		p.events = append(p.events, pauser.Event{Kind: pauser.Changed, Member: s.Member, Status: s})
	}
	p.watch()
	return true
}

// watch lets the picture begin.
func (p *play) watch() {
	p.Watch(func(e pauser.Event) { p.events = append(p.events, e) })
}

// offstage lets things happen that are not drawn, and shows what everybody has then.
func (p *play) offstage(do func()) {
	from := len(p.events)
	do()
	p.pass(5 * millisecond) // answers arrive that nobody waits for
	p.hidden = append(p.hidden, [2]int{from, len(p.events)})
	for _, s := range p.Status() {
		p.events = append(p.events, pauser.Event{Kind: pauser.Changed, Member: s.Member, Status: s})
	}
}

// writeAll lets the leader, member 1, write entries up to an index, which the members apply.
func (p *play) writeAll(upTo protocol.Index, members ...protocol.MemberID) {
	p.Helper()
	for n := p.Status()[0].Last + 1; n <= upTo; n++ {
		p.Propose(1)
		for _, id := range members {
			p.until(pauser.AppliedReaches(id, n))
		}
	}
}

// count tells how many such events there were.
func (p *play) count(at pauser.Kind, kind protocol.MessageKind) int {
	n := 0
	for _, e := range p.events {
		if e.Kind == at && e.Message.Body.Kind() == kind {
			n++
		}
	}
	return n
}

// cut parts a member from all others.
func (p *play) cut(id protocol.MemberID) {
	for _, s := range p.Status() {
		if s.Member != id {
			p.Cut(id, s.Member)
			p.Cut(s.Member, id)
		}
	}
}

func (p *play) write(id protocol.MemberID) {
	p.say(id, "a client writes")
	p.Propose(id)
}

// crash stops a member and reports whether its disk has its log up to the entry.
func (p *play) crash(id protocol.MemberID, last protocol.EntryID) bool {
	p.Crash(id)
	return slices.ContainsFunc(p.events, func(e pauser.Event) bool {
		return e.Kind == pauser.Fault && e.Member == id && strings.HasSuffix(e.Note, fmt.Sprintf("log up to %v", last))
	})
}

// told notes what the client knows of its writes and what became of them.
func (p *play) told(want string) {
	p.Helper()
	for _, op := range p.History() {
		got := "its client was told nothing"
		if op.Done {
			got = "its client was told that it is done"
		}
		if op.Index == 0 {
			got += ", what it wrote was never committed"
		} else {
			got += fmt.Sprintf(", what it wrote is committed as entry %d", op.Index)
		}
		p.claim(want, got == want && !op.Refused)
	}
	p.say(p.History()[0].Member, "%s", want)
}

// ends notes the end of a member's log, and wants it to be there.
func (p *play) ends(id protocol.MemberID, want protocol.Index) {
	p.Helper()
	last := p.Status()[id-1].Last
	p.claim(fmt.Sprintf("the log of member %d ends at %d", id, want), last == want)
	p.say(id, "its log ends at %d", last)
}

// acknowledged is met when such an acknowledgement has arrived.
func (p *play) acknowledged(from, to protocol.MemberID, match protocol.Index) pauser.Condition {
	return func(pauser.Event) bool { return p.saw(from, to, acknowledges(match)) }
}

// acknowledgesNow is met when such an acknowledgement arrives.
func acknowledgesNow(from, to protocol.MemberID, match protocol.Index) pauser.Condition {
	return func(e pauser.Event) bool {
		return e.Kind == pauser.Arrived && e.Message.From == from && e.Message.To == to && acknowledges(match)(e.Message.Body)
	}
}

// saw reports whether such a message has arrived.
func (p *play) saw(from, to protocol.MemberID, fits func(protocol.Body) bool) bool {
	return slices.ContainsFunc(p.events, func(e pauser.Event) bool {
		return e.Kind == pauser.Arrived && e.Message.From == from && e.Message.To == to && fits(e.Message.Body)
	})
}

func acknowledges(match protocol.Index) func(protocol.Body) bool {
	return func(b protocol.Body) bool {
		a, ok := b.(*protocol.AppendResponse)
		return ok && !a.Rejected && a.Match == match
	}
}

func refuses(hint protocol.EntryID) func(protocol.Body) bool {
	return func(b protocol.Body) bool {
		a, ok := b.(*protocol.AppendResponse)
		return ok && a.Rejected && a.Hint == hint
	}
}

// carries fits a request with the entries.
func carries(ids ...protocol.EntryID) func(protocol.Body) bool {
	return func(b protocol.Body) bool {
		a, ok := b.(*protocol.AppendRequest)
		return ok && slices.EqualFunc(a.Entries, ids, func(e protocol.Entry, id protocol.EntryID) bool { return e.ID() == id })
	}
}

func entry(index protocol.Index, term protocol.Term) protocol.EntryID {
	return protocol.EntryID{Index: index, Term: term}
}
