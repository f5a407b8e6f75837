package filelog

import (
	"errors"
	"io"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/vfs"
)

// twinEnd writes an entry and then two at once, with which the log ends.
func twinEnd(ts *testStore) {
	ts.append(command(1, 1, 10))
	ts.append(command(1, 2, 1000), command(1, 3, 1000))
}

// torn leaves of twinEnd what had been durable before the last write.
func torn(ts *testStore) {
	holds(protocol.EntryID{}, command(1, 1, 10))(ts)
	ts.append(command(2, 2, 10))
	ts.fs = ts.fs.Crash(vfs.PowerLoss{})
	ts.opens()
}

// reserved opens with a reserve in the options.
func reserved(held int64) func(*testStore) {
	return func(ts *testStore) {
		ts.opens()
		if got := ts.Log.mu.space.held; got != held {
			ts.t.Errorf("%d bytes are held, want %d", got, held)
		}
	}
}

var endStories = map[string]branchStory{
	"the last write lacks its first header": {
		takes: []branch{branchTornHeader, branchRewritten}, write: twinEnd, crash: true,
		harm: func(ts *testStore) { ts.loseHeader(ts.command(2)) }, ends: torn,
	},
	"the last write lacks its payload": {
		takes: []branch{branchTornPayload, branchRewritten}, write: twinEnd, crash: true,
		harm: func(ts *testStore) { ts.losePayload(ts.command(2)) }, ends: torn,
	},
	"a segment that is full": {
		takes: []branch{branchSegmentFull}, crash: true,
		write: func(ts *testStore) {
			end := ts.Log.mu.chain[0].end
			ts.append(command(1, 1, int(minSegmentSize-10-end-codec.FrameOverhead)))
		},
		ends: (*testStore).opens,
	},
	"a pre-written file": {
		takes: []branch{branchFreeKept}, write: commands(3),
		harm: func(ts *testStore) {
			replace(ts.t, ts.fs, "d/log/00000000000000aa"+freeSuffix, make([]byte, minSegmentSize))
		},
		ends: func(ts *testStore) {
			ts.opens()
			if n := ts.Log.Stats().Free; n == 0 {
				ts.t.Error("it does not wait")
			}
		},
	},
	"a file that is half pre-written": {
		takes: []branch{branchFreeDropped}, write: commands(3),
		harm: func(ts *testStore) {
			replace(ts.t, ts.fs, "d/log/00000000000000ab"+newSuffix, make([]byte, 100))
		},
		ends: (*testStore).opens,
	},
	"a reserve": {
		takes: []branch{branchReserveKept}, write: commands(3),
		harm: func(ts *testStore) {
			ts.opts.Reserve = 4096
			replace(ts.t, ts.fs, "d/log/"+reserveName, make([]byte, 4096))
		},
		ends: reserved(4096),
	},
	"a reserve that is half made": {
		takes: []branch{branchReserveDropped}, write: commands(3),
		harm: func(ts *testStore) { replace(ts.t, ts.fs, "d/log/"+reserveName, make([]byte, 100)) },
		ends: reserved(0),
	},
	"an unfinished snapshot": {
		takes: []branch{branchSnapshotDropped}, write: commands(3),
		harm: func(ts *testStore) {
			replace(ts.t, ts.fs, "d/snap/x"+unfinishedName, make([]byte, 100))
		},
		ends: func(ts *testStore) {
			ts.opens()
			if names, err := ts.fs.List("d/snap"); err != nil || len(names) > 0 {
				ts.t.Errorf("there are %v, %v", names, err)
			}
		},
	},
}

// snapped is the snapshot of the stories, of two chunks.
var snapped = protocol.SnapshotMeta{Last: protocol.EntryID{Term: 2, Index: 9}, Membership: crashIdentity.Membership}

const snappedSize = chunkSize + 100

func snapshot(ts *testStore) {
	w, err := ts.Snapshots.Create(snapped)
	if err == nil {
		_, err = w.Write(make([]byte, snappedSize))
	}
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		ts.t.Fatal(err)
	}
}

// reframe forges a frame of the snapshot, at an offset from its beginning, or, when negative,
// from its end.
func reframe(at int64, version uint8, e protocol.Entry) func(*testStore) {
	return func(ts *testStore) {
		name := "d/snap/" + snapshotName(snapped.Last)
		b, err := vfs.ReadFile(ts.fs, name)
		if err != nil {
			ts.t.Fatal(err)
		}
		if at < 0 {
			at += int64(len(b))
		}
		ts.put(name, at, snapshotPlace(snapped.Last).AppendFrame(nil, version, e))
	}
}

// snapshotGives wants an error of reading the snapshot to its end.
func snapshotGives(wanted func(error) bool) func(*testStore) {
	return func(ts *testStore) {
		ts.reopen(ts.fs)
		r, _, err := ts.Snapshots.Open(snapped.Last)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if !wanted(err) {
			ts.t.Errorf("it is read with %v", err)
		}
	}
}

func isNewerFormat(err error) bool { return errors.Is(err, ErrNewerFormat) && !isDamage(err) }

// beginning gives the frame with which the snapshot begins, and where the next is.
func beginning() (first protocol.Entry, firstChunk int64) {
	members, err := codec.Msgpack{}.EncodeMembership(nil, snapped.Membership)
	if err != nil {
		panic(err)
	}
	e := protocol.Entry{Kind: kindSnapshot, Term: snapped.Last.Term, Index: snapped.Last.Index, Payload: members.Bytes}
	return e, int64(len(e.Payload)) + codec.FrameOverhead
}

// begun gives the beginning with a change.
func begun(change func(*protocol.Entry)) protocol.Entry {
	e, _ := beginning()
	change(&e)
	return e
}

func chunkAt() int64 { _, at := beginning(); return at }

var snapshotStories = map[string]branchStory{
	"a snapshot's first header rots": {
		takes: []branch{branchSnapshotFrame}, write: snapshot,
		harm: func(ts *testStore) { flip(ts.t, ts.fs, "d/snap/"+snapshotName(snapped.Last), 9) },
		ends: snapshotGives(isDamage),
	},
	"a snapshot is cut off": {
		takes: []branch{branchSnapshotFrame}, write: snapshot,
		harm: func(ts *testStore) {
			replace(ts.t, ts.fs, "d/snap/"+snapshotName(snapped.Last), make([]byte, 10))
		},
		ends: snapshotGives(isDamage),
	},
	"a newer snapshot": {
		takes: []branch{branchSnapshotNewer}, write: snapshot,
		harm: reframe(0, snapshotVersion+1, begun(func(*protocol.Entry) {})), ends: snapshotGives(isNewerFormat),
	},
	"a snapshot that begins with a chunk": {
		takes: []branch{branchSnapshotKind}, write: snapshot,
		harm: reframe(0, snapshotVersion, begun(func(e *protocol.Entry) { e.Kind = kindChunk })), ends: snapshotGives(isDamage),
	},
	"a snapshot under another's name": {
		takes: []branch{branchSnapshotOther}, write: snapshot,
		harm: reframe(0, snapshotVersion, begun(func(e *protocol.Entry) { e.Index++ })), ends: snapshotGives(isDamage),
	},
	"a snapshot without members": {
		takes: []branch{branchSnapshotMembers}, write: snapshot,
		harm: reframe(0, snapshotVersion, begun(func(e *protocol.Entry) { e.Payload = []byte("no membership") })), ends: snapshotGives(isDamage),
	},
	"a snapshot that is longer than it tells": {
		takes: []branch{branchSnapshotLength}, write: snapshot,
		harm: reframe(-codec.FrameOverhead, snapshotVersion, protocol.Entry{Kind: kindFooter, Index: snappedSize - 7}), ends: snapshotGives(isDamage),
	},
	"a snapshot's chunk is another one": {
		takes: []branch{branchSnapshotChunk}, write: snapshot,
		harm: reframe(chunkAt(), snapshotVersion, protocol.Entry{Kind: kindChunk, Index: 1, Payload: make([]byte, chunkSize)}), ends: snapshotGives(isDamage),
	},
}
