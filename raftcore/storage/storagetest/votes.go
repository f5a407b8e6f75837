package storagetest

import (
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// VotesUnderTest is an implementation of storage.Votes as the suite uses it.
type VotesUnderTest struct {
	// Votes are new: nothing was saved.
	Votes storage.Votes
	// Reopen gives the votes that a new process would find. Nil when they do not
	// outlive their process.
	Reopen func(t *testing.T) storage.Votes
	// Fail makes the disk refuse everything from now on. Nil when there is no disk.
	Fail func()
}

// TestVotes runs the suite.
func TestVotes(t *testing.T, open func(t *testing.T) VotesUnderTest) {
	tests := map[string]func(*testing.T, VotesUnderTest){
		"new votes are the zero value": func(t *testing.T, u VotesUnderTest) {
			expectVote(t, u.Votes, protocol.HardState{})
		},
		"the last saved is given":  savedIsGiven,
		"reopen finds the last":    votesReopen,
		"a failed save is told":    failedSave,
		"reopen without any saved": reopenNew,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func expectVote(t *testing.T, v storage.Votes, want protocol.HardState) {
	t.Helper()
	got, err := v.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("loaded %+v, want %+v", got, want)
	}
}

func save(t *testing.T, v storage.Votes, s protocol.HardState) {
	t.Helper()
	if err := v.Save(s); err != nil {
		t.Fatal(err)
	}
}

func savedIsGiven(t *testing.T, u VotesUnderTest) {
	for term := range protocol.Term(5) {
		s := protocol.HardState{Term: term + 1, Vote: protocol.MemberID(term % 3)}
		save(t, u.Votes, s)
		expectVote(t, u.Votes, s)
	}
}

func votesReopen(t *testing.T, u VotesUnderTest) {
	if u.Reopen == nil {
		t.Skip("these votes do not outlive their process")
	}
	for term := range protocol.Term(5) {
		s := protocol.HardState{Term: term + 1, Vote: protocol.MemberID(term % 3)}
		save(t, u.Votes, s)
		u.Votes = u.Reopen(t)
		expectVote(t, u.Votes, s)
	}
}

func failedSave(t *testing.T, u VotesUnderTest) {
	if u.Fail == nil {
		t.Skip("these votes have no disk that can fail")
	}
	save(t, u.Votes, protocol.HardState{Term: 1, Vote: 1})
	u.Fail()
	for range 2 {
		if err := u.Votes.Save(protocol.HardState{Term: 2, Vote: 2}); err == nil {
			t.Fatal("a vote was reported durable by a disk that fails")
		}
	}
}

func reopenNew(t *testing.T, u VotesUnderTest) {
	if u.Reopen == nil {
		t.Skip("these votes do not outlive their process")
	}
	u.Votes = u.Reopen(t)
	expectVote(t, u.Votes, protocol.HardState{})
	save(t, u.Votes, protocol.HardState{Term: 7})
	u.Votes = u.Reopen(t)
	expectVote(t, u.Votes, protocol.HardState{Term: 7})
}
