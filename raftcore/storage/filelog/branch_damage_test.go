package filelog

import (
	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
)

// commands writes the entries 1 to n of term 1, one a write.
func commands(n protocol.Index) func(*testStore) {
	return func(ts *testStore) {
		for i := range n {
			ts.append(command(1, i+1, 100))
		}
	}
}

// based writes the entries 1 to 5, a base that moves to 3, and the entries up to n, and
// leaves the model without the base.
func based(n protocol.Index) func(*testStore) {
	return func(ts *testStore) {
		commands(5)(ts)
		if err := ts.Log.Compact(3); err != nil {
			ts.t.Fatal(err)
		}
		for i := protocol.Index(6); i <= n; i++ {
			ts.append(command(1, i, 100))
		}
	}
}

// replaced writes 8 entries of term 1 of which a leader of term 2 cuts off three, and goes on
// with n.
func replaced(n protocol.Index) func(*testStore) {
	return func(ts *testStore) {
		commands(8)(ts)
		for i := range n {
			ts.append(command(2, 6+i, 100))
		}
	}
}

// holds wants the log to hold these entries behind the base, and nothing damaged.
func holds(base protocol.EntryID, es ...protocol.Entry) func(*testStore) {
	return func(ts *testStore) {
		ts.model = storagetest.Model{Base: base, Entries: es}
		ts.opens()
	}
}

func base(term protocol.Term, index protocol.Index) protocol.Entry {
	return idRecord(kindBase, protocol.EntryID{Term: term, Index: index})
}

var recordStories = map[string]branchStory{
	"an entry below the base": {
		takes: []branch{branchEntryBelow, branchContradiction},
		harm:  func(ts *testStore) { ts.goOn(command(3, 4, 10)) },
		ends:  (*testStore).refuses,
	},
	"a gap that the base has passed": {
		takes: []branch{branchGap, branchDoubtForgotten, branchBase}, write: commands(5),
		harm: func(ts *testStore) { ts.goOn(command(1, 8, 10), base(1, 7)) },
		ends: holds(protocol.EntryID{Term: 1, Index: 7}, command(1, 8, 10)),
	},
	"a gap that a later leader has overwritten": {
		takes: []branch{branchGap, branchOverwrite, branchDoubtCut}, write: commands(2),
		harm: func(ts *testStore) { ts.goOn(command(1, 8, 10), command(2, 3, 10)) },
		ends: holds(protocol.EntryID{}, command(1, 1, 100), command(1, 2, 100), command(2, 3, 10)),
	},
	"a gap that stays": {
		takes: []branch{branchGap, branchDoubtLeft}, write: commands(5),
		harm: func(ts *testStore) { ts.goOn(command(1, 8, 10)) },
		ends: (*testStore).refuses,
	},
	"a gap before an older term": {
		takes: []branch{branchGapImpossible, branchContradiction}, write: replaced(1),
		harm: func(ts *testStore) { ts.goOn(command(1, 9, 10)) },
		ends: (*testStore).refuses,
	},
	"a gap of a million": {
		takes: []branch{branchGapImpossible}, write: commands(5),
		harm: func(ts *testStore) { ts.goOn(command(1, 8+maxGap, 10)) },
		ends: (*testStore).refuses,
	},
	"a base behind the log": {
		takes: []branch{branchBaseBeyond, branchContradiction}, write: commands(5),
		harm: func(ts *testStore) { ts.goOn(base(1, 9)) },
		ends: (*testStore).refuses,
	},
	"a base before the base": {
		takes: []branch{branchBaseBeyond},
		harm:  func(ts *testStore) { ts.goOn(base(1, 4)) },
		ends:  (*testStore).refuses,
	},
	"a reset": {
		takes: []branch{branchReset},
		harm: func(ts *testStore) {
			ts.goOn(idRecord(kindReset, protocol.EntryID{Term: 7, Index: 90}), command(7, 91, 10))
		},
		ends: holds(protocol.EntryID{Term: 7, Index: 90}, command(7, 91, 10)),
	},
	"a record of a kind to come": {
		takes: []branch{branchKindNewer},
		harm:  func(ts *testStore) { ts.goOn(idRecord(codec.FrameOwnKinds+0x0f, protocol.EntryID{})) },
		ends:  (*testStore).isNewer,
	},
}

var holeStories = map[string]branchStory{
	"a segment's head rots": {
		takes: []branch{branchHoleHead},
		harm:  func(ts *testStore) { flip(ts.t, ts.fs, ts.segment(1), dataStart+9) },
		ends:  (*testStore).refuses,
	},
	"a payload rots": {
		takes: []branch{branchHoleNamed}, write: commands(5),
		harm: func(ts *testStore) { ts.losePayload(ts.command(3)) }, ends: (*testStore).repairs,
	},
	"a payload rots whose header lies": {
		takes: []branch{branchHoleContradicts, branchContradiction}, write: commands(5),
		harm: func(ts *testStore) {
			r := ts.command(3)
			ts.forge(r.File, r.Offset, command(1, 3+2*maxGap, 100))
			ts.losePayload(r)
		},
		ends: (*testStore).refuses,
	},
	"the checksum behind a base rots": {
		takes: []branch{branchHoleOwn, branchBase},
		harm:  func(ts *testStore) { ts.losePayload(ts.record("base", 5)) },
		ends:  (*testStore).opens,
	},
	"the checksum behind a base that lies rots": {
		takes: []branch{branchHoleOwnWrong, branchBaseBeyond}, write: based(7),
		harm: func(ts *testStore) {
			r := ts.record("base", 3)
			ts.forge(r.File, r.Offset, base(1, 30))
			ts.losePayload(r)
		},
		ends: (*testStore).refuses,
	},
	"a header rots": {
		takes: []branch{branchHoleToWrite, branchHoleFilled}, write: commands(5),
		harm: func(ts *testStore) { ts.loseHeader(ts.command(3)) }, ends: (*testStore).repairs,
	},
	"the first header of a write rots": {
		takes: []branch{branchHoleToFrame, branchHoleFilled},
		write: func(ts *testStore) {
			commands(2)(ts)
			ts.append(command(1, 3, 100), command(1, 4, 100), command(1, 5, 100))
			ts.append(command(1, 6, 100))
		},
		harm: func(ts *testStore) { ts.loseHeader(ts.command(3)) },
		ends: (*testStore).repairs,
	},
	"two headers rot with a base between": {
		takes: []branch{branchHoleSecond}, write: based(7),
		harm: func(ts *testStore) {
			ts.loseHeader(ts.command(5))
			ts.loseHeader(ts.command(6))
		},
		ends: (*testStore).refuses,
	},
	"nothing but a base behind a hole": {
		takes: []branch{branchHoleUntold}, write: based(5),
		harm: func(ts *testStore) {
			r := ts.command(5)
			b := ts.record("base", 3)
			ts.zero(b.File, b.Offset+b.Size)
			ts.loseHeader(r)
		},
		ends: (*testStore).refuses,
	},
	"a hole for a hundred entries": {
		takes: []branch{branchHoleNoRoom}, write: commands(5),
		harm: func(ts *testStore) {
			lost, next := ts.command(3), ts.command(4)
			ts.forge(next.File, next.Offset, command(1, 100, 100))
			ts.loseHeader(lost)
		},
		ends: (*testStore).refuses,
	},
	"the first header of a term rots": {
		takes: []branch{branchHoleTerm, branchDoubtLeft},
		write: func(ts *testStore) {
			commands(5)(ts)
			ts.append(command(2, 6, 100), command(2, 7, 100))
		},
		harm: func(ts *testStore) { ts.loseHeader(ts.command(6)) },
		ends: (*testStore).refuses,
	},
	"the header of an entry that cut off others rots": {
		takes: []branch{branchHoleReplaced, branchDoubtLeft}, write: replaced(2),
		harm: func(ts *testStore) { ts.loseHeader(ts.command(6)) },
		ends: (*testStore).refuses,
	},
	"the last header rots, which cut off others": {
		takes: []branch{branchHoleCut, branchDoubtLeft}, write: replaced(1),
		harm: func(ts *testStore) { ts.loseHeader(ts.command(6)) },
		ends: (*testStore).refuses,
	},
	"a base of another term behind a hole": {
		takes: []branch{branchHoleTerm, branchHoleBase, branchDoubtForgotten},
		write: func(ts *testStore) {
			commands(5)(ts)
			ts.append(command(2, 6, 100))
			if err := ts.Log.Compact(6); err != nil {
				ts.t.Fatal(err)
			}
			ts.model.Compact(6)
		},
		harm: func(ts *testStore) { ts.loseHeader(ts.command(6)) },
		ends: (*testStore).opens,
	},
	"a header rots below the base": {
		takes: []branch{branchHoleToWrite, branchHoleFilled}, write: based(7),
		harm: func(ts *testStore) {
			ts.loseHeader(ts.command(2))
			ts.model.Compact(3)
		},
		ends: (*testStore).opens,
	},
	"entries that were cut off rot": {
		takes: []branch{branchHoleNamed, branchOverwrite}, write: replaced(2),
		harm: func(ts *testStore) { ts.losePayload(ts.command(8)) },
		ends: (*testStore).opens,
	},
}
