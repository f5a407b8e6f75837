package raftdiff

// The same schedule through both cores: who campaigns, who proposes, whose links are cut,
// who crashes. After each step everything that can arrive has arrived, in an order that is
// drawn for each core by itself; then nothing is open that Raft leaves open, and both must
// have the same terms, votes, leaders, logs and commit indexes on every member.

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	diff "github.com/google/go-cmp/cmp"
)

var schedules = flag.Int("schedules", 200, "how many schedules TestSameSchedule plays")

// never is an election timeout that never comes: nobody campaigns but by the schedule.
const never = 1 << 20

// core is a cluster of one of both.
type core interface {
	network() map[link]bool // that are cut; may be changed
	restart(id uint64)
	tick(id uint64)
	campaign(id uint64)
	propose(id uint64, payload string)
	settle()
	view(id uint64) view
}

// view is what is compared of a member. An entry of the log is its term and its payload.
type view struct {
	Term, Vote uint64
	Leads      bool
	Leader     uint64
	Commit     uint64
	Log        []string
}

// schedule plays the same on both.
type schedule struct {
	r         *rand.Rand
	members   uint64
	ours      *ours
	theirs    *theirs
	committed []string // by anybody, ever
	logs      [][]string
	story     []string
	count     map[string]int
}

func (s *schedule) both(do func(core)) {
	do(s.ours)
	do(s.theirs)
}

// TestSameSchedule plays random schedules.
func TestSameSchedule(t *testing.T) {
	r := dice(t)
	count := map[string]int{}
	for range *schedules {
		if difference := play(t, r, count, 0); difference != "" {
			t.Fatal(difference)
		}
	}
	t.Logf("%v", count)
	for _, what := range []string{"campaigns", "campaigns refused", "proposes", "proposes in vain", "restarts", "cuts", "heals", "overwrites"} {
		if count[what] == 0 {
			t.Errorf("the schedules never had: %s", what)
		}
	}
}

// TestDifferencesShow switches deliberate bugs of ours on: the schedules must notice.
func TestDifferencesShow(t *testing.T) {
	for _, name := range []string{"VoteByIndexOnly", "KeepOldTail"} {
		r, difference := dice(t), ""
		bug := bugNamed(t, name)
		for n := 0; n < 1000 && difference == ""; n++ {
			difference = play(t, r, map[string]int{}, bug)
		}
		if difference == "" {
			t.Errorf("1000 schedules did not notice the bug %s", name)
		}
		t.Logf("%s: %s", name, difference)
	}
}

// play plays one schedule and gives the first difference.
func play(t *testing.T, r *rand.Rand, count map[string]int, bug uint64) string {
	n := []uint64{3, 3, 5}[r.IntN(3)]
	s := &schedule{
		r: r, members: n, count: count, logs: make([][]string, n),
		ours:   newOurs(t, n, rand.New(rand.NewPCG(r.Uint64(), 1)), bug),
		theirs: newTheirs(t, n, rand.New(rand.NewPCG(r.Uint64(), 2))),
	}
	for range 40 {
		s.something()
		s.calm()
		if difference := s.compare(); difference != "" {
			return fmt.Sprintf("%s\nafter %v", difference, s.story)
		}
	}
	count["entries committed"] += len(s.committed)
	return ""
}

func (s *schedule) tell(what, format string, args ...any) {
	s.count[what]++
	s.story = append(s.story, fmt.Sprintf(format, args...))
}

func (s *schedule) something() {
	id := 1 + s.r.Uint64N(s.members)
	switch s.r.IntN(10) {
	case 0, 1:
		s.campaign(id)
	case 2, 3, 4, 5, 6:
		s.propose()
	case 7:
		s.tell("restarts", "%d restarts", id)
		s.both(func(c core) { c.restart(id) })
	case 8:
		s.cut()
	case 9:
		s.connect("heals", map[link]bool{})
	}
}

// campaign lets a member stand, unless it would ask for a term that a member which it
// reaches has seen: our members answer that one, so that it learns of the newer term; the peer's
// stay silent. Both are right.
func (s *schedule) campaign(id uint64) {
	v := s.theirs.view(id)
	if v.Leads || s.theirs.stands(id) {
		return
	}
	for other := uint64(1); other <= s.members; other++ {
		if !s.ours.net.cut[link{id, other}] && s.theirs.view(other).Term > v.Term {
			return
		}
	}
	s.tell("campaigns", "%d campaigns", id)
	s.both(func(c core) { c.campaign(id) })
	s.both(core.settle)
	if !s.theirs.view(id).Leads {
		s.tell("campaigns refused", "  it does not win")
	}
}

// propose gives a leader a command, and to none other: what a follower does with it is no
// matter of Raft. The leader may be one that nobody hears any more.
func (s *schedule) propose() {
	var leaders []uint64
	for id := uint64(1); id <= s.members; id++ {
		if s.theirs.view(id).Leads {
			leaders = append(leaders, id)
		}
	}
	if len(leaders) == 0 {
		return
	}
	id := leaders[s.r.IntN(len(leaders))]
	v := s.theirs.view(id)
	payload := fmt.Sprint("x", len(s.story))
	s.tell("proposes", "%d proposes %s", id, payload)
	s.both(func(c core) { c.propose(id, payload) })
	s.both(core.settle)
	if after := s.theirs.view(id); after.Commit == v.Commit {
		s.tell("proposes in vain", "  it is not committed")
	}
}

// cut parts the network: in two halves, or single links. A cut link carries nothing in either
// direction: in one direction both cores may go different ways, since they tell different
// things when they cannot hear the answers.
func (s *schedule) cut() {
	cut := map[link]bool{}
	half, side := s.r.IntN(2) == 0, s.r.Uint64()
	for a := uint64(1); a <= s.members; a++ {
		for b := a + 1; b <= s.members; b++ {
			if half && side>>a&1 != side>>b&1 || !half && s.r.IntN(3) == 0 {
				cut[link{a, b}], cut[link{b, a}] = true, true
			}
		}
	}
	s.connect("cuts", cut)
}

// connect makes a network with these links cut, unless what comes of it is open.
func (s *schedule) connect(what string, cut map[link]bool) {
	if s.races(cut) {
		s.count["races left out"]++
		return
	}
	s.tell(what, "cut are %v", slices.SortedFunc(maps.Keys(cut), func(a, b link) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	}))
	s.both(func(c core) {
		clear(c.network())
		maps.Copy(c.network(), cut)
	})
}

// races reports whether in such a network a leader has something to tell to a follower while somebody
// of a higher term may depose it: which of them comes first is a matter of chance.
func (s *schedule) races(cut map[link]bool) bool {
	views := make([]view, s.members+1)
	highest := uint64(0)
	for id := uint64(1); id <= s.members; id++ {
		views[id] = s.theirs.view(id)
		highest = max(highest, views[id].Term)
	}
	for id, v := range views {
		if !v.Leads || v.Term == highest {
			continue
		}
		for other, w := range views[1:] {
			l := link{uint64(id), uint64(other + 1)}
			if l.from != l.to && !cut[l] && w.Term <= v.Term && (w.Commit != v.Commit || !slices.Equal(w.Log, v.Log)) {
				return true
			}
		}
	}
	return false
}

// calm lets everybody hear of everything that can be heard.
func (s *schedule) calm() {
	s.both(func(c core) {
		c.settle()
		for range 4 {
			for id := uint64(1); id <= s.members; id++ {
				c.tick(id)
			}
			c.settle()
		}
	})
}

// compare gives the first difference.
func (s *schedule) compare() string {
	for id := uint64(1); id <= s.members; id++ {
		v, w := s.ours.view(id), s.theirs.view(id)
		if s.ours.broken != nil {
			return s.ours.broken.Error()
		}
		if d := diff.Diff(w, v); d != "" {
			return fmt.Sprintf("member %d of %d (-theirs +ours):\n%s", id, s.members, d)
		}
		if !s.extends(v) {
			return fmt.Sprintf("member %d has committed %v, but %v was", id, v.Log[:v.Commit], s.committed)
		}
		if was := s.logs[id-1]; len(v.Log) < len(was) || !slices.Equal(v.Log[:len(was)], was) {
			s.count["overwrites"]++
		}
		s.logs[id-1] = v.Log
	}
	return ""
}

// extends reports whether what a member takes for committed is what was committed ever.
func (s *schedule) extends(v view) bool {
	mine := v.Log[:v.Commit]
	n := min(len(mine), len(s.committed))
	if len(mine) > n {
		s.committed = append(s.committed, mine[n:]...)
	}
	return slices.Equal(mine[:n], s.committed[:n])
}
