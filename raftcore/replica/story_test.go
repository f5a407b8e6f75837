package replica_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// TestStories plays the stories in testdata. "go test -rewrite" writes what happens into
// them. See testdata/README.md for the commands.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		var s story
		datadriven.RunTest(t, path, s.play)
	})
}

// TestStoriesNoticeDeliberateBugs plays the stories with each bug switched on: at least
// one must come out differently.
func TestStoriesNoticeDeliberateBugs(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for name, bug := range bugs() {
		var noticed []string
		for _, f := range files {
			if comesOutDifferently(t, f, bug) {
				noticed = append(noticed, filepath.Base(f))
			}
		}
		if len(noticed) == 0 {
			t.Errorf("no story notices the bug %s", name)
		}
		t.Logf("%s: %s", name, strings.Join(noticed, " "))
	}
}

func bugs() map[string]mutation.Set {
	return map[string]mutation.Set{
		"CommitOldTerm": mutation.CommitOldTerm, "VoteInMemory": mutation.VoteInMemory,
		"AckBeforeSync": mutation.AckBeforeSync, "VoteByIndexOnly": mutation.VoteByIndexOnly,
		"KeepOldTail": mutation.KeepOldTail, "ApplyUncommitted": mutation.ApplyUncommitted,
		"CursorOnlyUp": mutation.CursorOnlyUp, "ReadWithoutQuorum": mutation.ReadWithoutQuorum,
		"ResignedOfOldTerm": mutation.ResignedOfOldTerm, "UnableCampaigns": mutation.UnableCampaigns,
		"SerialNeverReleased": mutation.SerialNeverReleased, "LeaseWithoutDrift": mutation.LeaseWithoutDrift,
		"ChangeBeforeCommitInTerm": mutation.ChangeBeforeCommitInTerm, "ChangeEffectOnCommit": mutation.ChangeEffectOnCommit,
		"JointNeedsOnlyNew": mutation.JointNeedsOnlyNew, "RemovedLeaderCountsItself": mutation.RemovedLeaderCountsItself,
		"WipedVolumeVotes":   mutation.WipedVolumeVotes,
		"SilentWhenRemoved":  mutation.SilentWhenRemoved,
		"LeaseAfterTransfer": mutation.LeaseAfterTransfer, "ReadFromNewLeaderBeforeNoOp": mutation.ReadFromNewLeaderBeforeNoOp,
		"VoteTwice": mutation.VoteTwice, "LateRefusalEchoes": mutation.LateRefusalEchoes,
		"LeadWithoutQuorum": mutation.LeadWithoutQuorum, "LeadWhileDiskHangs": mutation.LeadWhileDiskHangs,
		"SnapshotGoesBack": mutation.SnapshotGoesBack, "SnapshotDropsTail": mutation.SnapshotDropsTail,
		"LeaderCountsUnsynced": mutation.LeaderCountsUnsynced, "LeaseFromAnswer": mutation.LeaseFromAnswer,
		"InstallKeepsStable": mutation.InstallKeepsStable, "RepairedCutOff": mutation.RepairedCutOff, "FetchedCutOff": mutation.FetchedCutOff,
	}
}

func comesOutDifferently(t *testing.T, file string, bug mutation.Set) bool {
	correct, mutated := story{}, story{bugs: bug}
	differs := false
	datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
		out := correct.play(t, d)
		if !differs {
			differs = mutated.play(t, d) != out
		}
		return out
	})
	return differs
}

// story is one file: a world and what has been told since the last command.
type story struct {
	*world
	bugs mutation.Set
	told strings.Builder
}

type command func(*story, *testing.T, *datadriven.TestData) error

var commands = map[string]command{
	"cluster":      (*story).cluster,
	"tick":         (*story).tick,
	"elect":        (*story).elect,
	"run":          (*story).runAll,
	"settle":       func(s *story, _ *testing.T, _ *datadriven.TestData) error { return s.settle() },
	"propose":      (*story).propose,
	"read":         (*story).readIndex,
	"deliver":      (*story).deliverSome,
	"drop":         (*story).drop,
	"receive":      (*story).receive,
	"persist":      (*story).persistSome,
	"apply":        onMember(func(s *story, m *member) error { return s.applyAll(m) }),
	"fetch":        onMember(func(s *story, m *member) error { return s.fetch(m) }),
	"look":         onMember((*story).look),
	"lose-read":    onMember((*story).loseFetch),
	"snapshot":     onMember(func(s *story, m *member) error { return s.snapshot(m, false) }),
	"fail-snap":    onMember(func(s *story, m *member) error { return s.snapshot(m, true) }),
	"crash":        onMember(func(s *story, m *member) error { s.crash(m); return nil }),
	"wipe":         onMember(func(s *story, m *member) error { s.wipe(m); return nil }),
	"start":        (*story).startAgain,
	"repaired":     onMember(func(s *story, m *member) error { return s.repaired(m) }),
	"resign":       onMember(func(s *story, m *member) error { return s.step(m, replica.Resign{}) }),
	"fitness":      (*story).setFitness,
	"join":         (*story).joinCluster,
	"change":       (*story).changeMembers,
	"members":      (*story).showMembers,
	"compact":      (*story).compactTo,
	"transfer":     (*story).transferTo,
	"disconnected": (*story).disconnect,
	"cut":          (*story).cutLinks,
	"heal":         func(s *story, _ *testing.T, _ *datadriven.TestData) error { s.world.cut = nil; return nil },
	"table":        (*story).table,
	"flying":       (*story).showFlying,
	"status":       (*story).showStatus,
	"logs":         (*story).showLogs,
}

func (s *story) play(t *testing.T, d *datadriven.TestData) string {
	s.told.Reset()
	do, ok := commands[d.Cmd]
	if !ok {
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
	if err := do(s, t, d); err != nil {
		fmt.Fprintf(&s.told, "ERROR %v\n", err)
	}
	if d.HasArg("quiet") && !strings.Contains(s.told.String(), "ERROR") {
		return "ok"
	}
	return strings.TrimRight(s.told.String(), "\n")
}

func (s *story) tell(format string, args ...any) { fmt.Fprintf(&s.told, format+"\n", args...) }

func onMember(do func(*story, *member) error) command {
	return func(s *story, t *testing.T, d *datadriven.TestData) error { return do(s, s.who(t, d, "id")) }
}

func (s *story) who(t *testing.T, d *datadriven.TestData, arg string) *member {
	var id uint64
	d.ScanArgs(t, arg, &id)
	m := s.member(protocol.MemberID(id))
	if m == nil {
		t.Fatalf("%s: there is no member %d", d.Pos, id)
	}
	return m
}

// cluster makes the members. A line of input "1: 1 1 2 term=3" gives member 1 a log of
// three entries with these terms, and a saved term.
func (s *story) cluster(t *testing.T, d *datadriven.TestData) error {
	voters, learners := 3, 0
	d.MaybeScanArgs(t, "voters", &voters)
	d.MaybeScanArgs(t, "learners", &learners)
	s.world = newWorld(voters, learners)
	s.mutation, s.trace = s.bugs, s.tell
	c := &s.config
	for name, field := range map[string]*int{
		"election": &c.ElectionTicks, "heartbeat": &c.HeartbeatTicks, "inflight": &c.MaxInflight,
		"message": &c.MaxMessageBytes, "tail": &c.MaxTailBytes, "uncommitted": &c.MaxUncommittedBytes,
		"inflight-bytes": &c.MaxInflightBytes, "apply-bytes": &c.MaxApplyBytes, "lease": &c.LeaseTicks,
		"lag": &c.MaxPromotionLag,
	} {
		d.MaybeScanArgs(t, name, field)
	}
	c.Serial = d.HasArg("serial")
	if d.HasArg("recorded") {
		for i := range s.initial.Members {
			s.initial.Members[i].Incarnation = s.members[i].inc
		}
	}
	for line := range strings.Lines(d.Input) {
		if err := s.preset(strings.TrimSpace(line)); err != nil {
			return err
		}
	}
	return s.startAll()
}

func (s *story) preset(line string) error {
	head, rest, _ := strings.Cut(line, ":")
	var id protocol.MemberID
	if _, err := fmt.Sscan(head, &id); err != nil || s.member(id) == nil {
		return fmt.Errorf("no member in %q", line)
	}
	disk := &s.member(id).disk
	for _, word := range strings.Fields(rest) {
		var n uint64
		if _, err := fmt.Sscanf(word, "term=%d", &n); err == nil {
			disk.hard.Term = protocol.Term(n)
			continue
		}
		if _, err := fmt.Sscan(word, &n); err != nil {
			return fmt.Errorf("%q in %q is no term", word, line)
		}
		i := len(disk.entries) + 1
		disk.entries = append(disk.entries, protocol.Entry{
			Index: protocol.Index(i), Term: protocol.Term(n), Kind: protocol.EntryCommand, Payload: fmt.Appendf(nil, "x%d", i),
		})
		disk.hard.Term = max(disk.hard.Term, protocol.Term(n))
	}
	return nil
}

func (s *story) tick(t *testing.T, d *datadriven.TestData) error {
	n := 1
	d.MaybeScanArgs(t, "n", &n)
	for range n {
		for _, m := range s.some(t, d) {
			if err := s.step(m, replica.Tick{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// runAll lets time pass for everybody, with disks and network as fast as can be.
func (s *story) runAll(t *testing.T, d *datadriven.TestData) error {
	var n int
	d.ScanArgs(t, "n", &n)
	for range n {
		for _, m := range s.members {
			if m.r == nil {
				continue
			}
			if err := s.step(m, replica.Tick{}); err != nil {
				return err
			}
		}
		if err := s.settle(); err != nil {
			return err
		}
	}
	return nil
}

// some gives the member named by id, or all that run.
func (s *story) some(t *testing.T, d *datadriven.TestData) []*member {
	if d.HasArg("id") {
		return []*member{s.who(t, d, "id")}
	}
	return slices.DeleteFunc(slices.Clone(s.members), func(m *member) bool { return m.r == nil })
}

// elect lets a member's election timeout pass and everything settle.
func (s *story) elect(t *testing.T, d *datadriven.TestData) error {
	m := s.who(t, d, "id")
	// The others have not heard from a leader for as long.
	for _, o := range s.members {
		for range s.config.ElectionTicks {
			if o.r != nil && o != m {
				if err := s.step(o, replica.Tick{}); err != nil {
					return err
				}
			}
		}
	}
	for range 4 * s.config.ElectionTicks {
		if err := s.step(m, replica.Tick{}); err != nil {
			return err
		}
		if err := s.settle(); err != nil {
			return err
		}
		if m.r.Status().Role == replica.Leader {
			return nil
		}
	}
	return fmt.Errorf("member %d was not elected", m.id)
}

// propose takes the arguments that have no value as commands; behind the word sessions, as
// changes of sessions.
func (s *story) propose(t *testing.T, d *datadriven.TestData) error {
	var payloads [][]byte
	kind := protocol.EntryCommand
	for _, a := range d.CmdArgs {
		switch {
		case a.Key == "sessions":
			kind = protocol.EntrySession
		case len(a.Vals) == 0 && a.Key != "quiet":
			payloads = append(payloads, []byte(a.Key))
		}
	}
	return s.step(s.who(t, d, "id"), replica.Propose{Kind: kind, Payloads: payloads})
}

func (s *story) readIndex(t *testing.T, d *datadriven.TestData) error {
	var n uint64
	d.ScanArgs(t, "read", &n)
	return s.step(s.who(t, d, "id"), replica.Read{ID: n})
}

func (s *story) persistSome(t *testing.T, d *datadriven.TestData) error {
	n := 100
	d.MaybeScanArgs(t, "n", &n)
	m := s.who(t, d, "id")
	for ; n > 0 && len(m.jobs) > 0; n-- {
		if err := s.persist(m); err != nil {
			return err
		}
	}
	return nil
}

// look lets the oldest Fetch read the log now; fetch answers it later.
func (s *story) look(m *member) error {
	f := m.fetches[0]
	m.found = m.log.read(f.From, f.To, f.MaxBytes)
	return nil
}

func (s *story) loseFetch(m *member) error {
	f := m.fetches[0]
	m.fetches = m.fetches[1:]
	return s.step(m, replica.Fetched{Fetch: f, Err: true})
}

func (s *story) compactTo(t *testing.T, d *datadriven.TestData) error {
	var n uint64
	d.ScanArgs(t, "to", &n)
	return s.compact(s.who(t, d, "id"), protocol.Index(n))
}

func (s *story) transferTo(t *testing.T, d *datadriven.TestData) error {
	var to uint64
	d.MaybeScanArgs(t, "to", &to)
	return s.step(s.who(t, d, "id"), replica.Transfer{To: protocol.MemberID(to)})
}

func (s *story) disconnect(t *testing.T, d *datadriven.TestData) error {
	return s.step(s.who(t, d, "id"), replica.Disconnected{Member: s.who(t, d, "from").id})
}

func (s *story) setFitness(t *testing.T, d *datadriven.TestData) error {
	levels := map[string]replica.FitnessLevel{}
	for l := replica.Fit; l <= replica.Unable; l++ {
		levels[l.String()] = l
	}
	var name string
	d.ScanArgs(t, "level", &name)
	l, ok := levels[name]
	if !ok {
		t.Fatalf("%s: there is no level %q", d.Pos, name)
	}
	return s.step(s.who(t, d, "id"), replica.Fitness{Level: l})
}

// cutLinks isolates the member id, or cuts its link with one other member.
func (s *story) cutLinks(t *testing.T, d *datadriven.TestData) error {
	if s.world.cut == nil {
		s.world.cut = map[link]bool{}
	}
	a := s.who(t, d, "id").id
	for _, b := range s.members {
		if !d.HasArg("with") || b == s.who(t, d, "with") {
			s.world.cut[link{a, b.id}], s.world.cut[link{b.id, a}] = true, true
		}
	}
	return nil
}
