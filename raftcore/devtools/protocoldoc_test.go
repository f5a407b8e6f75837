package devtools_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/devtools/diagram"
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

var update = flag.Bool("update", false, "write the traces into docs/protocol.md")

const (
	protocolDocument = "../../docs/protocol.md"
	maxArrows        = 25 // that a reader follows
)

// plays are the traces of docs/protocol.md, by the names in its marks. Each arranges a
// situation and checks what the text beside its picture says. It reports false when the
// seed has cast others than the text names: whoever is elected, or reaches the disk
// first, is a matter of chance.
var plays = []struct {
	name    string
	options func(seed uint64) sim.Options
	stage   func(*play) bool
}{
	{"not-written", three, notWritten},
	{"written-by-the-leader-only", oneAtATime, writtenByTheLeaderOnly},
	{"one-follower-of-five", five, oneFollowerOfFive},
	{"absent-follower", three, absentFollower},
}

func three(seed uint64) sim.Options { return sim.Calm(seed, 3) }

// oneAtATime lets only one request be unanswered: entries that cannot be delivered are
// then drawn once.
func oneAtATime(seed uint64) sim.Options {
	o := sim.Calm(seed, 3)
	o.MaxInflight = 1
	return o
}

// five sends each entry in a request of its own, so that each is acknowledged by itself.
func five(seed uint64) sim.Options {
	o := sim.Calm(seed, 5)
	o.MaxMessageBytes = 1
	return o
}

// TestProtocolDocument plays each situation and wants its picture in docs/protocol.md.
func TestProtocolDocument(t *testing.T) {
	text, err := os.ReadFile(protocolDocument)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, p := range plays {
		t.Run(p.name, func(t *testing.T) {
			picture := diagram.Mermaid(legible(perform(t, p.options, p.stage)))
			if n := strings.Count(picture, ">>") + strings.Count(picture, "-x"); n > maxArrows {
				t.Errorf("the picture has %d arrows, more than %d cannot be followed:\n%s", n, maxArrows, picture)
			}
			got = replaceTrace(t, got, p.name, picture)
		})
	}
	if n := strings.Count(got, "<!-- trace: "); n != len(plays) {
		t.Errorf("%s has %d traces, the test makes %d", protocolDocument, n, len(plays))
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(protocolDocument, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(text), got); d != "" {
		t.Errorf("%s is not fresh; if the new traces are right run the test with -update (-want +got):\n%s", protocolDocument, d)
	}
}

func replaceTrace(t *testing.T, text, name, picture string) string {
	t.Helper()
	mark := "<!-- trace: " + name + " -->\n"
	section := regexp.MustCompile("(?s)" + regexp.QuoteMeta(mark) + ".*?<!-- end -->")
	if n := len(section.FindAllString(text, -1)); n != 1 {
		t.Fatalf("%s has %d sections from %q to <!-- end -->, must be 1", protocolDocument, n, strings.TrimSpace(mark))
	}
	return section.ReplaceAllLiteralString(text, mark+"```mermaid\n"+picture+"```\n<!-- end -->")
}

// perform plays with the first seed that casts as the text tells.
func perform(t *testing.T, options func(uint64) sim.Options, stage func(*play) bool) []pauser.Event {
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
			return p.events
		}
	}
	t.Fatalf("none of the first %d seeds arranges the situation", seeds)
	return nil
}

// play is a cluster on its way into a situation.
type play struct {
	*testing.T
	*sim.Cluster
	seed   uint64
	events []pauser.Event
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
	p.Watch(func(e pauser.Event) { p.events = append(p.events, e) })
	return true
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

func notWritten(p *play) bool {
	if !p.begin() {
		return false
	}
	p.cut(1)
	p.write(1)
	if !p.crash(1, entry(1, 1)) {
		return false // a part of what was on its way has reached the disk
	}
	p.Heal()
	if p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member != 2 {
		return false
	}
	p.until(pauser.CommitReaches(3, 2))
	p.Restart(1)
	p.until(p.acknowledged(1, 2, 2))
	p.claim("member 1 takes the NoOp where its own entry would have been", p.saw(2, 1, carries(entry(2, 2))))
	p.ends(1, 2)
	p.told("its client was told nothing, what it wrote was never committed")
	return true
}

func writtenByTheLeaderOnly(p *play) bool {
	if !p.begin() {
		return false
	}
	p.cut(1)
	for range 3 {
		p.write(1)
	}
	p.pass(5 * sim.Millisecond) // longer than a sync takes
	p.claim("entries 2 to 4 are on the disk of member 1", p.crash(1, entry(4, 1)))
	p.Heal()
	if p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member != 2 {
		return false
	}
	p.until(pauser.CommitReaches(3, 2))
	p.say(2, "is asked to hand over")
	p.Transfer(2, 3)
	p.until(pauser.Becomes(3, replica.Leader))
	p.until(pauser.CommitReaches(2, 3))
	p.Restart(1)
	p.until(p.acknowledged(1, 3, 3))
	p.claim("member 1 refuses and hints at its entry 2 of term 1", p.saw(1, 3, refuses(entry(2, 1))))
	p.claim("member 3 sends what it has from entry 2 on", p.saw(3, 1, carries(entry(2, 2), entry(3, 3))))
	p.ends(1, 3)
	p.told("its client was told nothing, what it wrote was never committed")
	return true
}

func oneFollowerOfFive(p *play) bool {
	if !p.begin() {
		return false
	}
	p.Crash(5)
	for _, id := range []protocol.MemberID{3, 4} {
		p.Cut(1, id)
	}
	p.Cut(2, 1)
	p.write(1)
	p.until(func(e pauser.Event) bool { return e.Kind == pauser.Dropped && acknowledges(2)(e.Message.Body) })
	p.claim("member 1 has entry 2 on disk when it crashes", p.crash(1, entry(2, 1)))
	p.Heal()
	if p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member != 2 {
		return false
	}
	p.until(p.acknowledged(3, 2, 2))
	p.until(p.acknowledged(4, 2, 2))
	if p.saw(3, 2, acknowledges(3)) || p.saw(4, 2, acknowledges(3)) {
		return false
	}
	p.claim("three of five have entry 2, and it is not committed", p.Status()[1].Commit == 1)
	p.until(pauser.CommitReaches(2, 2))
	p.claim("entry 2 is committed together with entry 3", p.Status()[1].Commit == 3)
	p.until(pauser.AppliedReaches(3, 3))
	p.until(pauser.AppliedReaches(4, 3))
	p.told("its client was told nothing, what it wrote is committed as entry 2")
	return true
}

func absentFollower(p *play) bool {
	if !p.begin() {
		return false
	}
	p.say(3, "is cut off")
	p.cut(3)
	p.write(1)
	p.until(pauser.AppliedReaches(1, 2))
	p.claim("member 2 has acknowledged entry 2", p.saw(2, 1, acknowledges(2)))
	p.told("its client was told that it is done, what it wrote is committed as entry 2")
	p.Crash(1)
	p.Heal()
	p.say(3, "is back")
	p.claim("only member 2 can be elected", p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member == 2)
	p.until(pauser.AppliedReaches(3, 3))
	p.claim("member 3 refuses the NoOp, for it lacks entry 2", p.saw(3, 2, refuses(entry(1, 1))))
	p.claim("member 3 gets the entry from the new leader", p.saw(2, 3, carries(entry(2, 1), entry(3, 2))))
	return true
}

// legible leaves out what tells nothing new: pre-votes, what is sent to a member that
// is down, heartbeats that are neither refused nor bring a commit index, and
// acknowledgements of what was acknowledged before.
func legible(events []pauser.Event) []pauser.Event {
	l := leavingOut{status: map[protocol.MemberID]pauser.Status{}, match: map[acknowledgement]protocol.Index{}}
	var shown []pauser.Event
	for i, e := range events {
		if l.shows(e, events[i+1:]) {
			e.Note = inWords(e.Note)
			shown = append(shown, e)
		}
		if e.Kind == pauser.Changed {
			l.status[e.Member] = e.Status
		}
	}
	return shown
}

type leavingOut struct {
	status map[protocol.MemberID]pauser.Status
	match  map[acknowledgement]protocol.Index // that was shown
}

type acknowledgement struct {
	from, to protocol.MemberID
	term     protocol.Term
}

func (l *leavingOut) shows(e pauser.Event, next []pauser.Event) bool {
	switch {
	case e.Kind == pauser.Sent:
		return false // it is drawn where it arrives or is lost
	case e.Kind == pauser.Changed:
		return e.Status.Role != replica.PreCandidate
	case e.Kind == pauser.Fault:
		return true
	case e.Kind == pauser.Dropped && !l.status[e.Message.To].Up:
		return false
	}
	m := e.Message
	switch b := m.Body.(type) {
	case *protocol.PreVoteRequest, *protocol.PreVoteResponse:
		return false
	case *protocol.AppendRequest:
		return len(b.Entries) > 0 || e.Kind == pauser.Arrived && l.matters(m, next)
	case *protocol.AppendResponse:
		a := acknowledgement{m.From, m.To, m.Term}
		if b.Rejected {
			return true
		}
		if b.Match <= l.match[a] || m.Term == 1 && b.Match == 1 {
			return false // the picture begins when entry 1 is committed
		}
		l.match[a] = b.Match
	}
	return true
}

// matters reports whether the receiver commits by the heartbeat, or refuses it. Its new
// status follows at once; its answer may wait until a new term is durable.
func (l *leavingOut) matters(m protocol.Message, next []pauser.Event) bool {
	for stepped, answered := false, false; len(next) > 0 && !(stepped && answered); next = next[1:] {
		e := next[0]
		if e.Member != m.To {
			continue
		}
		if e.Kind == pauser.Changed && !stepped {
			stepped = true
			if e.Status.Commit > l.status[m.To].Commit {
				return true
			}
		}
		if a, ok := e.Message.Body.(*protocol.AppendResponse); ok && e.Kind == pauser.Sent && !answered {
			answered = true
			if a.Rejected {
				return true
			}
		}
	}
	return false
}

var (
	hardState = regexp.MustCompile(`\{Term:(\d+) Vote:(\d+)\}`)
	entryID   = regexp.MustCompile(`\{(\d+) (\d+)\}`)
)

// inWords writes the values in the simulator's notes as the rest of the picture does.
func inWords(note string) string {
	return entryID.ReplaceAllString(hardState.ReplaceAllString(note, "term $1, vote $2"), "$2/$1")
}
