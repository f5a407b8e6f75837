package filelog

import (
	"encoding/binary"
	"errors"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
)

// saved is the vote of the stories of meta, beside the log that all stories have.
var saved = protocol.HardState{Term: 9, Vote: 3}

func votes(ts *testStore) {
	for _, v := range []protocol.HardState{{Term: 8, Vote: 1}, saved} {
		if err := ts.Votes.Save(v); err != nil {
			ts.t.Fatal(err)
		}
	}
}

// mended wants the identity and a vote as they were, a warning the first time, and none later.
func mended(warnings int, want protocol.HardState) func(*testStore) {
	return func(ts *testStore) {
		warned := 0
		ts.opts.Warn = func(error) { warned++ }
		for range 2 {
			ts.opens()
			if got, err := ts.Votes.Load(); got != want || err != nil {
				ts.t.Errorf("votes give %+v, %v, want %+v", got, err, want)
			}
			if d := cmp.Diff(crashIdentity, ts.Identity); d != "" || warned != warnings {
				ts.t.Errorf("%d warnings, want %d, identity (-want +got):\n%s", warned, warnings, d)
			}
			ts.Store.Close() //nolint:errcheck // it is opened again
		}
	}
}

// noVote wants a log that opens, and a vote that nobody believes: one that is forgotten may be
// given twice.
func noVote(ts *testStore) {
	ts.opens()
	if got, err := ts.Votes.Load(); !errors.Is(err, storage.ErrVotesDamaged) {
		ts.t.Errorf("load gave %+v, %v, want ErrVotesDamaged", got, err)
	}
}

func flipMeta(offsets ...int64) func(*testStore) {
	return func(ts *testStore) {
		for _, at := range offsets {
			flip(ts.t, ts.fs, "d/meta", at)
		}
	}
}

func (ts *testStore) voteSeq(offset int64) uint64 {
	f, err := ts.fs.Open("d/meta")
	if err != nil {
		ts.t.Fatal(err)
	}
	defer f.Close()
	v, err := readVote(f, offset)
	if err != nil {
		ts.t.Fatal(err)
	}
	return v.seq
}

var metaStories = map[string]branchStory{
	"an empty volume": {
		takes: []branch{branchNotFormatted},
		harm: func(ts *testStore) {
			if err := ts.fs.Remove("d/meta"); err != nil {
				ts.t.Fatal(err)
			}
		},
		ends: fails(ErrNotFormatted),
	},
	"the first identity rots": {
		takes: []branch{branchSlotFrame, branchIdentityOne}, write: votes,
		harm: flipMeta(identityA + 30), ends: mended(1, saved),
	},
	"the second identity rots": {
		takes: []branch{branchSlotFrame, branchIdentityOne}, write: votes,
		harm: flipMeta(identityB + 30), ends: mended(1, saved),
	},
	"both identities rot": {
		takes: []branch{branchIdentityBoth}, harm: flipMeta(identityA+30, identityB+30), ends: fails(ErrMetaDamaged),
	},
	"a vote in the place of an identity": {
		takes: []branch{branchSlotKind, branchIdentityOne}, write: votes,
		harm: func(ts *testStore) { ts.slot(identityA, metaVersion, voteRecord(1, saved)) },
		ends: mended(1, saved),
	},
	"an identity without fields": {
		takes: []branch{branchIdentityFields, branchIdentityOne}, write: votes,
		harm: func(ts *testStore) {
			ts.slot(identityA, metaVersion, protocol.Entry{Kind: kindIdentity, Payload: []byte{1, 2, 3}})
		},
		ends: mended(1, saved),
	},
	"a newer vote slot": {
		takes: []branch{branchMetaNewer},
		harm:  func(ts *testStore) { ts.slot(voteB, metaVersion+1, voteRecord(9, saved)) },
		ends:  (*testStore).isNewer,
	},
	"a short vote": {
		takes: []branch{branchVoteLength, branchVoteTorn}, write: votes,
		harm: func(ts *testStore) {
			ts.slot(voteA, metaVersion, protocol.Entry{Kind: kindVote, Term: 99, Index: 99, Payload: []byte{1, 2, 3}})
		},
		ends: mended(1, saved),
	},
	"the first vote rots": {
		takes: []branch{branchVoteTorn}, write: votes, harm: flipMeta(voteA + 10), ends: mended(1, saved),
	},
	"the second vote rots": {
		takes: []branch{branchVoteTorn}, write: votes, harm: flipMeta(voteB + 30), ends: mended(1, saved),
	},
	"both votes rot": {
		takes: []branch{branchVoteBoth}, write: votes, harm: flipMeta(voteA+30, voteB+30), ends: noVote,
	},
	"two votes in one": {
		takes: []branch{branchVoteConflict}, write: votes,
		harm: func(ts *testStore) {
			ts.slot(voteB, metaVersion, voteRecord(ts.voteSeq(voteA), protocol.HardState{Term: saved.Term, Vote: saved.Vote + 1}))
		},
		ends: noVote,
	},
	"the first vote is newer": {
		takes: []branch{branchVoteNewer}, write: votes,
		harm: func(ts *testStore) {
			ts.slot(voteA, metaVersion, voteRecord(ts.voteSeq(voteB)+1, protocol.HardState{Term: 10, Vote: 2}))
		},
		ends: mended(0, protocol.HardState{Term: 10, Vote: 2}),
	},
	"the second vote is newer": {
		takes: []branch{branchVoteNewer}, write: votes,
		harm: func(ts *testStore) {
			ts.slot(voteB, metaVersion, voteRecord(ts.voteSeq(voteA)+1, protocol.HardState{Term: 10, Vote: 2}))
		},
		ends: mended(0, protocol.HardState{Term: 10, Vote: 2}),
	},
	"equal votes": {takes: []branch{branchVoteEqual}, write: votes, ends: mended(0, saved)},
}

// without opens the directory after one of its segments is gone.
func without(n int) func(*testStore) {
	return func(ts *testStore) {
		if err := ts.fs.Remove(ts.segment(n)); err != nil {
			ts.t.Fatal(err)
		}
	}
}

// twoSegments writes a base with a configuration, whose records are in the first of two.
func twoSegments(ts *testStore) {
	ts.append(command(1, 1, 300), storagetest.Configuration(1, 2), command(1, 3, 300), command(1, 4, 300))
	if err := ts.Log.Compact(3); err != nil {
		ts.t.Fatal(err)
	}
	ts.model.Compact(3)
	for i := protocol.Index(5); len(ts.Log.mu.chain) < 2; i++ {
		ts.append(command(1, i, 300))
	}
}

// twinWrite writes two entries at once, with which the first of two segments ends.
func twinWrite(ts *testStore) {
	ts.append(command(1, 1, 100))
	ts.append(command(1, 2, 1000), command(1, 3, 1000))
	ts.append(command(1, 4, 3000))
}

// told wants what the next segment's head told of the base, whose records are damaged.
func told(ts *testStore) {
	ts.opens()
	if st := ts.Log.State(); st.Base.Index != 3 || st.Configuration == nil {
		ts.t.Errorf("the log is %+v", st)
	}
}

var segmentStories = map[string]branchStory{
	"no segment": {
		takes: []branch{branchNoSegment}, write: votes,
		harm: func(ts *testStore) {
			names, err := ts.fs.List("d/log")
			for _, name := range names {
				err = errors.Join(err, ts.fs.Remove("d/log/"+name))
			}
			if err != nil {
				ts.t.Fatal(err)
			}
		},
		ends: (*testStore).refuses,
	},
	"the oldest segment is gone": {takes: []branch{branchEntriesMissing}, harm: without(0), ends: (*testStore).refuses},
	"a segment in between is gone": {
		takes: []branch{branchSegmentMissing}, harm: without(1), ends: (*testStore).refuses,
	},
	"a segment is cut off within its header": {
		takes: []branch{branchHeaderShort},
		harm:  func(ts *testStore) { replace(ts.t, ts.fs, ts.segment(1), make([]byte, 100)) },
		ends:  (*testStore).refuses,
	},
	"a header's mark rots": {
		takes: []branch{branchHeaderMark},
		harm:  func(ts *testStore) { flip(ts.t, ts.fs, ts.segment(1), 2) },
		ends:  (*testStore).refuses,
	},
	"a header's salt rots": {
		takes: []branch{branchHeaderChecksum},
		harm:  func(ts *testStore) { flip(ts.t, ts.fs, ts.segment(1), 26) },
		ends:  (*testStore).refuses,
	},
	"a newer header": {
		takes: []branch{branchHeaderNewer},
		harm: func(ts *testStore) {
			ts.header(1, func(h []byte) { binary.LittleEndian.PutUint32(h[8:], segmentVersion+1) })
		},
		ends: (*testStore).isNewer,
	},
	"another segment's header": {
		takes: []branch{branchHeaderOther},
		harm:  func(ts *testStore) { ts.header(1, func(h []byte) { h[16]++ }) },
		ends:  (*testStore).refuses,
	},
	"an orderly close": {
		takes: []branch{branchOldest, branchNextSegment, branchPrepared, branchEntry, branchOverwrite, branchBase, branchMark, branchClean, branchRewritten, branchVoteEqual},
		ends:  (*testStore).opens,
	},
	"an entry in the place of a head": {
		takes: []branch{branchHeadKind, branchContradiction},
		harm:  func(ts *testStore) { ts.forge(ts.segment(0), dataStart, command(1, 1, headPayload)) },
		ends:  (*testStore).refuses,
	},
	"a head without a base": {
		takes: []branch{branchHeadShort, branchContradiction},
		harm: func(ts *testStore) {
			ts.forge(ts.segment(0), dataStart, protocol.Entry{Kind: kindHead, Payload: []byte{1, 2, 3}})
		},
		ends: (*testStore).refuses,
	},
	"the last record of a segment rots": {
		takes: []branch{branchTailLost, branchHoleToWrite, branchHoleFilled},
		harm: func(ts *testStore) {
			var last Record
			_, err := Inspect(ts.fs, "d", func(r Record) error {
				if r.File == ts.segment(0) {
					last = r
				}
				return nil
			})
			if err != nil {
				ts.t.Fatal(err)
			}
			ts.loseHeader(last)
		},
		ends: (*testStore).repairs,
	},
	"a segment's end is said to be behind the file's": {
		takes: []branch{branchTailImpossible},
		harm:  func(ts *testStore) { ts.rehead(1, func(h *head, _ head) { h.prevEnd = 10 * minSegmentSize }) },
		ends:  (*testStore).refuses,
	},
	"a segment's end is said to be within a record": {
		takes: []branch{branchTailInside, branchTailLost, branchHoleNamed}, write: twinWrite,
		harm: func(ts *testStore) {
			ts.rehead(1, func(h *head, _ head) { h.prevEnd -= 10 })
			ts.losePayload(ts.command(2))
		},
		ends: (*testStore).refuses,
	},
	"the headers of base and configuration rot": {
		takes: []branch{branchBaseTold, branchConfigTold, branchNextSegment}, write: twoSegments,
		harm: func(ts *testStore) {
			ts.loseHeader(ts.record("base", 3))
			ts.loseHeader(ts.record("Configuration", 2))
		},
		ends: told,
	},
	"the payloads of base and configuration rot": {
		takes: []branch{branchBaseTold, branchConfigTold}, write: twoSegments,
		harm: func(ts *testStore) {
			ts.losePayload(ts.record("base", 3))
			ts.losePayload(ts.record("Configuration", 2))
		},
		ends: told,
	},
	"the next head tells of another last entry": {
		takes: []branch{branchNextDisagrees, branchContradiction},
		harm:  func(ts *testStore) { ts.rehead(1, func(h *head, _ head) { h.last.Term++ }) },
		ends:  (*testStore).refuses,
	},
	"the next head tells of another configuration": {
		takes: []branch{branchConfigDisagrees, branchContradiction},
		harm:  func(ts *testStore) { ts.rehead(1, func(h *head, _ head) { h.configuration = []byte("x") }) },
		ends:  (*testStore).refuses,
	},
	"what a segment held is lost": {
		takes: []branch{branchPrepared, branchTailImpossible},
		harm:  func(ts *testStore) { ts.zero(ts.segment(1), dataStart) },
		ends:  (*testStore).refuses,
	},
	"a segment in between has no records": {
		takes: []branch{branchPrepared, branchPreparedBefore},
		harm: func(ts *testStore) {
			ts.rehead(2, func(h *head, before head) { *h = before }) // else this tells of what is lost
			ts.zero(ts.segment(1), dataStart)
		},
		ends: (*testStore).refuses,
	},
	"the oldest segment has no records": {
		takes: []branch{branchHeadless},
		harm:  func(ts *testStore) { ts.zero(ts.segment(0), dataStart) },
		ends:  (*testStore).refuses,
	},
}
