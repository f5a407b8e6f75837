package session_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/session"
)

var (
	seeds = flag.Int("session.seeds", 300, "how many seeds the random tests run")
	first = flag.Uint64("session.first", 1, "the first seed")
)

// item is one entry of a random log.
type item struct {
	id             protocol.EntryID
	change         *protocol.SessionChange
	client, serial uint64 // of a command
}

// draw gives a log in which clients repeat, reorder and skip commands.
func draw(r *rand.Rand) []item {
	var log []item
	term, readings := protocol.Term(1), map[protocol.Term]uint64{}
	var opened []uint64
	serials := map[uint64]uint64{} // the highest so far
	for at := protocol.Index(1); at <= 120; at++ {
		x := item{id: protocol.EntryID{Term: term, Index: at}}
		anyone := func() uint64 { // mostly one who has opened a session
			if len(opened) == 0 || r.IntN(20) == 0 {
				return uint64(1 + r.IntN(int(at)))
			}
			return opened[max(0, len(opened)-1-r.IntN(5))]
		}
		switch k := r.IntN(20); {
		case k < 2:
			opened = append(opened, uint64(at))
			x.change = &protocol.SessionChange{
				Op: protocol.SessionOpen, Timeout: uint64(10 + r.IntN(200)), MaxSessions: uint64(r.IntN(8)), MaxAnswer: uint64(r.IntN(40)),
			}
		case k < 5:
			x.change = &protocol.SessionChange{Op: protocol.SessionKeep, Clients: []uint64{anyone(), anyone(), anyone()}}
		case k == 5 && r.IntN(3) == 0:
			x.change = &protocol.SessionChange{Op: protocol.SessionExpire, Clients: []uint64{anyone()}}
		case k < 9:
			if r.IntN(4) == 0 {
				term++
				x.id.Term, readings[term] = term, r.Uint64N(1e9)
			}
			readings[term] += r.Uint64N(60)
			x.change = &protocol.SessionChange{Op: protocol.SessionClock, Clock: readings[term]}
		default:
			x.client = anyone()
			x.serial = serials[x.client] + []uint64{1, 1, 1, 0, 0, 0, 2}[r.IntN(7)]
			if r.IntN(8) == 0 {
				x.serial -= min(x.serial, r.Uint64N(4))
			}
			serials[x.client] = max(serials[x.client], x.serial)
		}
		log = append(log, x)
	}
	return log
}

// apply gives what a client is told.
func apply(t *session.Table, x item, executed int) string {
	if x.change != nil {
		opened, unknown := t.Change(x.id, *x.change)
		return fmt.Sprint("opened ", opened, " unknown ", unknown)
	}
	v := t.Take(x.id.Index, x.client, x.serial)
	switch v {
	case session.Execute:
		return told("executed", t.Executed(x.client, x.serial, answer(x, executed)))
	case session.Repeat:
		return told("again", t.Answer(x.client))
	}
	return v.Err().Error()
}

func told(what string, a protocol.Answer) string { return what + " " + string(a.Data) + tooLarge(a) }

// answer depends on how much was executed before: a second execution gives another one.
func answer(x item, executed int) []byte {
	return []byte(fmt.Sprint(executed, strings.Repeat("x", int(x.id.Index)%40)))
}

// twin is the slow and obvious table: the whole log, looked through for each question.
type twin struct {
	log   []item
	tells []string // for each entry
	gone  map[uint64]bool
}

func (w *twin) apply(x item, executed int) string {
	w.log = append(w.log, x)
	out := w.told(x, executed)
	w.tells = append(w.tells, out)
	return out
}

func (w *twin) told(x item, executed int) string {
	c := x.change
	switch {
	case c == nil:
		return w.command(x, executed)
	case c.Op == protocol.SessionOpen:
		for open := w.open(); c.MaxSessions > 0 && uint64(len(open)) > c.MaxSessions; open = open[1:] {
			w.gone[open[0]] = true
		}
		return fmt.Sprint("opened ", x.id.Index, " unknown []")
	case c.Op == protocol.SessionKeep:
		var unknown []uint64
		for _, client := range slices.Sorted(slices.Values(c.Clients)) {
			if !w.isOpen(client) {
				unknown = append(unknown, client)
			}
		}
		return fmt.Sprint("opened 0 unknown ", unknown)
	case c.Op == protocol.SessionExpire:
		w.gone[c.Clients[0]] = true
	case c.Op == protocol.SessionClock:
		for _, client := range w.open() {
			if idle, known := w.idle(client); known && idle >= w.opening(client).Timeout {
				w.gone[client] = true
			}
		}
	}
	return "opened 0 unknown []"
}

func (w *twin) command(x item, executed int) string {
	if !w.isOpen(x.client) {
		return session.ErrExpired.Error()
	}
	last, first := uint64(0), ""
	for i, y := range w.log[:len(w.log)-1] {
		if y.change == nil && y.client == x.client && strings.HasPrefix(w.tells[i], "executed") {
			last, first = y.serial, w.tells[i]
		}
	}
	switch {
	case x.serial == last+1:
		a := protocol.Answer{Data: answer(x, executed)}
		if most := w.opening(x.client).MaxAnswer; most > 0 && uint64(len(a.Data)) > most {
			a = protocol.Answer{TooLarge: true}
		}
		return told("executed", a)
	case x.serial == last && last > 0:
		return strings.Replace(first, "executed", "again", 1)
	case x.serial > last:
		return session.ErrGap.Error()
	}
	return session.ErrStale.Error()
}

func (w *twin) opening(client uint64) *protocol.SessionChange {
	if client == 0 || client > uint64(len(w.log)) {
		return nil
	}
	if c := w.log[client-1].change; c != nil && c.Op == protocol.SessionOpen {
		return c
	}
	return nil
}

func (w *twin) isOpen(client uint64) bool { return w.opening(client) != nil && !w.gone[client] }

// open gives those who are, by their last sign of life.
func (w *twin) open() []uint64 {
	var clients []uint64
	for client := uint64(1); client <= uint64(len(w.log)); client++ {
		if w.isOpen(client) {
			clients = append(clients, client)
		}
	}
	slices.SortStableFunc(clients, func(a, b uint64) int { return w.active(a) - w.active(b) })
	return clients
}

// active gives the client's last entry.
func (w *twin) active(client uint64) int {
	for i := len(w.log) - 1; i >= 0; i-- {
		x := w.log[i]
		if x.client == client || uint64(x.id.Index) == client ||
			x.change != nil && x.change.Op == protocol.SessionKeep && slices.Contains(x.change.Clients, client) {
			return i
		}
	}
	return -1
}

// idle sums up what readings show between the first one after the last sign of life and now.
func (w *twin) idle(client uint64) (sum uint64, known bool) {
	var before *item
	for i := range w.log {
		x := &w.log[i]
		if x.change == nil || x.change.Op != protocol.SessionClock {
			continue
		}
		if known && before.id.Term == x.id.Term {
			sum += max(x.change.Clock, before.change.Clock) - before.change.Clock
		}
		if i > w.active(client) {
			known = true
		}
		before = x
	}
	return sum, known
}

// TestTableAgainstTwin: the table tells every client what the obvious one tells it, also
// when it is stored and read again at any moment, whole or by its changes.
func TestTableAgainstTwin(t *testing.T) {
	for i := range *seeds {
		if seed := *first + uint64(i); !agrees(seed, 0, t.Errorf) {
			t.Fatalf("repeat it with -session.seeds 1 -session.first %d", seed)
		}
	}
}

func agrees(seed uint64, bug mutation.Set, report func(string, ...any)) bool {
	r := rand.New(rand.NewPCG(seed, 1))
	table, slow := session.New(), &twin{gone: map[uint64]bool{}}
	table.Mutation = bug
	kept := newStored(table)
	executed := 0
	for _, x := range draw(r) {
		got, want := apply(table, x, executed), slow.apply(x, executed)
		if got != want {
			report("seed %d, entry %d: the client is told %q instead of %q", seed, x.id.Index, got, want)
			return false
		}
		if err := table.CheckInvariants(); err != nil {
			report("seed %d, entry %d: %v", seed, x.id.Index, err)
			return false
		}
		if strings.HasPrefix(got, "executed") {
			executed++
		}
		if r.IntN(10) == 0 {
			kept.update(table)
			if table = kept.reopen(report); table == nil {
				return false
			}
			table.Mutation = bug
		}
	}
	return true
}

// stored is a table as a state machine may keep it: by what has changed.
type stored struct {
	session.Image
	sessions map[uint64]protocol.Session
}

func newStored(t *session.Table) *stored {
	t.Track()
	return &stored{sessions: map[uint64]protocol.Session{}}
}

func (s *stored) update(t *session.Table) {
	changed, removed := t.Changes()
	for _, x := range changed {
		s.sessions[x.Client] = x
	}
	for _, client := range removed {
		delete(s.sessions, client)
	}
	s.Image = t.Freeze()
}

// reopen gives a table from what was kept; it must be equal to the whole one.
func (s *stored) reopen(report func(string, ...any)) *session.Table {
	im := session.Image{Head: s.Head}
	for _, x := range s.sessions {
		im.Sessions = append(im.Sessions, x)
	}
	t := session.New()
	t.Track()
	if err := t.Restore(im); err != nil {
		report("%v", err)
		return nil
	}
	if d := cmp.Diff(s.Image, t.Freeze()); d != "" {
		report("the table was stored otherwise (-table +stored):\n%s", d)
		return nil
	}
	return t
}

// TestTwinNoticesBugs shows that the comparison would find a table that forgets.
func TestTwinNoticesBugs(t *testing.T) {
	for name, bug := range map[string]mutation.Set{
		"SessionForgetsAnswer": mutation.SessionForgetsAnswer,
		"SerialNotChecked":     mutation.SerialNotChecked,
	} {
		caught := false
		for seed := uint64(1); seed <= 20 && !caught; seed++ {
			caught = !agrees(seed, bug, func(string, ...any) {})
		}
		if !caught {
			t.Errorf("%s: 20 seeds do not notice it", name)
		}
	}
}

// Entries that the table knows already change nothing: a state machine with files of its
// own may be given them again.
func TestEntriesAgain(t *testing.T) {
	for i := range min(*seeds, 50) {
		seed := *first + uint64(i)
		log := draw(rand.New(rand.NewPCG(seed, 1)))
		table := session.New()
		for n, x := range log {
			apply(table, x, n)
		}
		want := table.Freeze()
		for _, x := range log[len(log)/2:] {
			if x.change != nil {
				table.Change(x.id, *x.change)
			} else if v := table.Take(x.id.Index, x.client, x.serial); v != session.Past {
				t.Fatalf("seed %d: entry %d is judged again: %d", seed, x.id.Index, v)
			}
		}
		if d := cmp.Diff(want, table.Freeze()); d != "" {
			t.Fatalf("seed %d: (-before +after):\n%s", seed, d)
		}
	}
}

// A duplicate in the same batch waits for the first one's answer; a session that expires
// while its command is executed keeps nothing.
func TestPending(t *testing.T) {
	table := session.New()
	client, _ := table.Change(protocol.EntryID{Index: 1, Term: 1}, protocol.SessionChange{Op: protocol.SessionOpen})
	if v := table.Take(2, client, 1); v != session.Execute {
		t.Fatal(v)
	}
	if v := table.Take(3, client, 1); v != session.Pending {
		t.Errorf("the duplicate of a command that is being executed: %d", v)
	}
	table.Executed(client, 1, []byte("one"))
	if v := table.Take(3, client, 1); v != session.Repeat || string(table.Answer(client).Data) != "one" {
		t.Errorf("the duplicate of a command that was executed: %d, %v", v, table.Answer(client))
	}
	table.Take(5, client, 2)
	table.Take(6, client, 3)
	table.Executed(client, 2, []byte("two"))
	table.Executed(client, 3, []byte("three"))
	if got := string(table.Answer(client).Data); got != "three" {
		t.Errorf("after three commands the answer is %q", got)
	}
	table.Take(7, client, 4)
	table.Change(protocol.EntryID{Index: 8, Term: 1}, protocol.SessionChange{Op: protocol.SessionExpire, Clients: []uint64{client}})
	table.Executed(client, 4, []byte("four"))
	if table.Len() != 0 {
		t.Error("the session came back")
	}
}

// What is not a table is refused, and the table stays.
func TestRestoreRefusesNonsense(t *testing.T) {
	for name, im := range map[string]session.Image{
		"twice":            {Head: protocol.SessionsHead{Applied: 9}, Sessions: []protocol.Session{{Client: 1, Active: 1}, {Client: 1, Active: 2}}},
		"from the future":  {Head: protocol.SessionsHead{Applied: 9}, Sessions: []protocol.Session{{Client: 1, Active: 10}}},
		"before it opened": {Head: protocol.SessionsHead{Applied: 9}, Sessions: []protocol.Session{{Client: 5, Active: 4}}},
		"seen too late":    {Head: protocol.SessionsHead{Applied: 9}, Sessions: []protocol.Session{{Client: 5, Active: 5, Seen: 1}}},
	} {
		table := session.New()
		table.Change(protocol.EntryID{Index: 1, Term: 1}, protocol.SessionChange{Op: protocol.SessionOpen})
		if err := table.Restore(im); err == nil || table.Len() != 1 {
			t.Errorf("%s: %v, then %d sessions", name, err, table.Len())
		}
	}
}
