package sim

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/internal/mutation"
)

// catch says who notices a deliberate bug: the simulation, or a named test of the room that
// the bug is in.
type catch struct {
	bug mutation.Set

	favour func(*Options) // what the bug needs to show
	all    []Property     // noticed by these with all checks on
	five   []Property     // noticed with the checks of figure 3 alone; none: it ends in other harm

	room, test string // a folder of raftcore and a test in it
}

// catches is the list of all deliberate bugs.
var catches = map[string]catch{
	// Elections (paper sections 5.1, 5.2 and 5.4.1).
	"VoteInMemory":      {bug: mutation.VoteInMemory, favour: slowDisks, all: []Property{Promises}, five: []Property{ElectionSafety}},
	"VoteByIndexOnly":   {bug: mutation.VoteByIndexOnly, favour: shortReigns, all: leaderLacks, five: leaderLacks},
	"VoteTwice":         {bug: mutation.VoteTwice, favour: shortReigns, all: []Property{Promises, ElectionSafety, Invariants}, five: []Property{ElectionSafety}},
	"LeadWithoutQuorum": {bug: mutation.LeadWithoutQuorum, favour: deafLeaders, all: []Property{Liveness}},
	"ResignedOfOldTerm": {bug: mutation.ResignedOfOldTerm, room: "replica", test: stories},

	// Replication and commitment (sections 5.3 and 5.4.2).
	"CommitOldTerm":        {bug: mutation.CommitOldTerm, favour: figure8, all: leaderLacks, five: leaderLacks},
	"AckBeforeSync":        {bug: mutation.AckBeforeSync, favour: slowDisks, all: []Property{Promises, QuorumDisks}, five: leaderLacks},
	"LeaderCountsUnsynced": {bug: mutation.LeaderCountsUnsynced, favour: slowDisks, all: []Property{QuorumDisks, Invariants}, five: leaderLacks},
	"KeepOldTail":          {bug: mutation.KeepOldTail, favour: shortReigns, all: []Property{LogMatching}, five: []Property{LogMatching}},
	"ApplyUncommitted":     {bug: mutation.ApplyUncommitted, favour: shortReigns, all: []Property{Invariants}, five: []Property{StateMachineSafety}},
	"CursorOnlyUp":         {bug: mutation.CursorOnlyUp, favour: lostLogs, all: []Property{Liveness, QuorumDisks}},
	"FetchedCutOff":        {bug: mutation.FetchedCutOff, room: "replica", test: stories},
	"CatchUpCapped":        {bug: mutation.CatchUpCapped, favour: smallMemories, all: []Property{Liveness}},

	// Snapshots (section 7).
	"SnapshotGoesBack":   {bug: mutation.SnapshotGoesBack, favour: chunks, all: []Property{Order, Invariants, StateMachineSafety, NoPanic, QuorumDisks}},
	"SnapshotDropsTail":  {bug: mutation.SnapshotDropsTail, room: "replica", test: stories},
	"InstallKeepsStable": {bug: mutation.InstallKeepsStable, room: "replica", test: stories},

	// Reads (section 8; thesis section 6.4).
	"ReadWithoutQuorum":           {bug: mutation.ReadWithoutQuorum, favour: staleLeaders, all: []Property{ClientsView}},
	"ReadFromNewLeaderBeforeNoOp": {bug: mutation.ReadFromNewLeaderBeforeNoOp, favour: staleLeaders, all: []Property{ClientsView}},
	"LateRefusalEchoes":           {bug: mutation.LateRefusalEchoes, favour: echoes, all: []Property{ClientsView}},
	"LeaseWithoutDrift":           {bug: mutation.LeaseWithoutDrift, favour: driftingLeases, all: []Property{ClientsView}},
	"LeaseFromAnswer":             {bug: mutation.LeaseFromAnswer, room: "replica", test: stories},
	"LeaseAfterTransfer":          {bug: mutation.LeaseAfterTransfer, favour: handingOver, all: []Property{ClientsView}},

	// Clients (section 8; thesis section 6.3).
	"SessionForgetsAnswer": {bug: mutation.SessionForgetsAnswer, favour: repeaters, all: []Property{ClientsView}},
	"SerialNotChecked":     {bug: mutation.SerialNotChecked, favour: repeaters, all: []Property{ClientsView}},
	"ExpireByLocalClock":   {bug: mutation.ExpireByLocalClock, room: "host", test: "TestSessionsExpireByTheLog"},
	"SerialNeverReleased":  {bug: mutation.SerialNeverReleased, favour: serial, all: []Property{Liveness}},

	// Membership (section 6; thesis chapter 4).
	"ChangeBeforeCommitInTerm":  {bug: mutation.ChangeBeforeCommitInTerm, room: "replica", test: stories},
	"ChangeEffectOnCommit":      {bug: mutation.ChangeEffectOnCommit, favour: reshaped, all: []Property{QuorumDisks, ElectionSafety}},
	"JointNeedsOnlyNew":         {bug: mutation.JointNeedsOnlyNew, favour: reshaped, all: []Property{QuorumDisks}},
	"WipedVolumeVotes":          {bug: mutation.WipedVolumeVotes, favour: emptied, all: leaderLacks, five: leaderLacks},
	"RepairedCutOff":            {bug: mutation.RepairedCutOff, room: "replica", test: stories},
	"SilentWhenRemoved":         {bug: mutation.SilentWhenRemoved, room: "replica", test: stories},
	"RemovedLeaderCountsItself": {bug: mutation.RemovedLeaderCountsItself, favour: reshaped, all: []Property{QuorumDisks}},

	// Disks.
	"UnableCampaigns":           {bug: mutation.UnableCampaigns, favour: hangingDisks, all: []Property{Fitness}},
	"LeadWhileDiskHangs":        {bug: mutation.LeadWhileDiskHangs, favour: hangingDisks, all: []Property{Fitness}},
	"CutDamage":                 {bug: mutation.CutDamage, room: "storage/filelog", test: "TestDeliberateBugsAreNoticed"},
	"DropTailAfterFsyncFailure": {bug: mutation.DropTailAfterFsyncFailure, room: "storage/filelog", test: "TestDeliberateBugsAreNoticed"},
	"FsyncRetried":              {bug: mutation.FsyncRetried, room: "storage/filelog", test: "TestDeliberateBugsAreNoticed"},
	"GhostEntries":              {bug: mutation.GhostEntries, room: "storage/filelog", test: "TestDeliberateBugsAreNoticed"},
	"WipedVoter":                {bug: mutation.WipedVoter, room: "storage/filelog", test: "TestDeliberateBugsAreNoticed"},
	"UnboundedLength":           {bug: mutation.UnboundedLength, room: "transport/tcp", test: "TestALengthIsNotBelieved"},
	"RepairWithoutTermCheck":    {bug: mutation.RepairWithoutTermCheck, room: "devtools/sim", test: "TestARepairIsOfItsTerm"},
	"CampaignWhileDamaged":      {bug: mutation.CampaignWhileDamaged, room: "host", test: "TestMutationsOfRepair"},
}

// stories is the test of package replica that plays its stories with bugs.
const stories = "TestStoriesNoticeDeliberateBugs"

// leaderLacks is how a lost commitment shows.
var leaderLacks = []Property{LeaderCompleteness, StateMachineSafety}

// figure8 lets many leaders fall in a row, with entries that they left behind.
func figure8(o *Options) {
	shortReigns(o)
	o.Members, o.Learners, o.ReadPercent, o.HeartbeatTicks, o.Steps = 3, 0, 10, 1, 4000
	o.MaxUncommittedBytes, o.MaxApplyBytes, o.MaxInflightBytes, o.MaxInflight = 1<<20, 0, 0, 4
	o.Faults |= Partition
	o.DownFor, o.ClientEvery, o.FaultEvery = 50*Millisecond, 10*Millisecond, 40*Millisecond
	o.AimAtLeader, o.HealMajority = 60, false
}

// deafLeaders leaves leaders outside that reach all and hear nobody.
func deafLeaders(o *Options) {
	o.Faults = Partition
	o.AimAtLeader, o.HealMajority, o.HalfCut, o.HalfLinked = 90, true, true, false
	o.Members, o.LeaseTicks = 3, 0
}

// smallMemories lets leaders read from their logs what followers lack.
func smallMemories(o *Options) {
	o.MaxTailBytes = 0
	o.Members = max(3, o.Members)
	o.Faults = Partition | Crash
}

// driftingLeases lets leaders answer reads without asking, with clocks that differ.
func driftingLeases(o *Options) {
	staleLeaders(o)
	o.Faults = Partition | Drift
	o.Members, o.Learners, o.Sessions, o.Serial = 3, 0, 0, false
	o.ElectionTicks, o.HeartbeatTicks, o.LeaseTicks = 10, 1, longestLease(10)
	o.ReadPercent, o.ClientEvery, o.FaultEvery = 70, 5*Millisecond, 400*Millisecond
	o.Steps, o.Phases = 4000, 1
}

// echoes lets the same members lead again and again, and read much.
func echoes(o *Options) {
	sleepers(o)
	o.LeaseTicks, o.Sessions, o.Phases, o.Serial = 0, 0, 1, false
	o.Faults = Sleep | Transfer | Partition | Delay
	o.ReadPercent, o.ClientEvery = 80, 4*Millisecond
	quick(o)
}

// repeaters has many clients with sessions, who repeat themselves.
func repeaters(o *Options) { o.Sessions, o.SessionTimeout = 9, Second }

func serial(o *Options) { o.Serial = true }

// hangingDisks lets disks finish nothing for long.
func hangingDisks(o *Options) {
	o.Faults = HungDisk
	o.Members, o.AimAtLeader, o.FaultEvery = 3, 60, 200*Millisecond
}

// TestMutations shows that every bug of package mutation is noticed: with each of them
// switched on, one of the first thousand seeds breaks a property that has to do with
// the bug, or a test of its own room knows it. Where the bug can end in harm that paper
// figure 3 speaks of, a second search looks at nothing but the five properties of that
// figure.
func TestMutations(t *testing.T) {
	bugs := declared(t)
	for i, name := range bugs {
		c, known := catches[name]
		if !known || c.bug != 1<<i {
			t.Errorf("nobody catches the bug %s: it needs a row in catches", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.room != "" {
				mustBeNamed(t, name, c)
				return
			}
			hunt(t, c, false, c.all)
			if c.five != nil {
				hunt(t, c, true, c.five)
			}
		})
	}
	if len(catches) != len(bugs) {
		t.Errorf("catches has %d rows for %d bugs", len(catches), len(bugs))
	}
}

// declared gives the names of the bugs in package mutation, by their bits.
func declared(t *testing.T) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../internal/mutation/mutation.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			for _, s := range g.Specs {
				for _, n := range s.(*ast.ValueSpec).Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

// mustBeNamed wants the test of the row in the room, and one that switches the bug on. That the
// test fails for a bug that does no harm is for the test itself to see to.
func mustBeNamed(t *testing.T, name string, c catch) {
	t.Helper()
	text := sources(t, filepath.Join("..", "..", c.room), func(file string) bool { return strings.HasSuffix(file, "_test.go") })
	if c.test == "" || !strings.Contains(text, "func "+c.test+"(") || !mention(name).MatchString(text) {
		t.Errorf("the tests of room %s do not switch %s on, or have no %s", c.room, name, c.test)
	}
}

// TestBugsAreConsultedOnce holds every bug to one place: what a test notices is that place.
func TestBugsAreConsultedOnce(t *testing.T) {
	text := sources(t, filepath.Join("..", ".."), func(file string) bool { return !strings.HasSuffix(file, "_test.go") })
	for _, name := range declared(t) {
		if n := len(mention(name).FindAllString(text, -1)); n != 1 {
			t.Errorf("the bug %s is consulted at %d places, must be at one", name, n)
		}
	}
}

// mention finds where a bug is named.
func mention(bug string) *regexp.Regexp { return regexp.MustCompile(`\bmutation\.` + bug + `\b`) }

// sources gives the text of those Go files below a folder that are wanted.
func sources(t *testing.T, folder string, wanted func(file string) bool) string {
	t.Helper()
	var text strings.Builder
	err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || !wanted(file) {
			return err
		}
		b, err := os.ReadFile(file)
		text.Write(b)
		return err
	})
	if err != nil || text.Len() == 0 {
		t.Fatalf("%d bytes of Go in %s: %v", text.Len(), folder, err)
	}
	return text.String()
}

// hunt looks for a seed whose run breaks one of the properties because of the bug.
func hunt(t *testing.T, c catch, fiveOnly bool, properties []Property) {
	t.Helper()
	others := map[Property]int{}
	for seed := uint64(1); seed <= 1000; seed++ {
		o := OptionsFor(seed)
		c.favour(&o)
		o.mutation, o.fiveOnly = c.bug, fiveOnly
		_, err := Run(o)
		var f *Failure
		if err == nil {
			continue
		}
		if !errors.As(err, &f) {
			t.Fatal(err)
		}
		if slices.Contains(properties, f.Property) {
			t.Logf("figure 3 alone: %v, seed %d, step %d: %s: %.300s", fiveOnly, seed, f.Step, f.Property, f.Detail)
			mustBeWell(t, o)
			return
		}
		others[f.Property]++
	}
	t.Errorf("1000 seeds broke none of %v, but others: %v", properties, others)
}

// mustBeWell shows that it was the bug, and nothing else, that broke the property.
func mustBeWell(t *testing.T, o Options) {
	t.Helper()
	o.mutation, o.fiveOnly = 0, false
	if f := failureOf(o); f != nil {
		t.Errorf("the same run fails without the bug: %v", f)
	}
}
