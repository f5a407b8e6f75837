package filelog

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// fuzzSalt makes frames that the corpus has valid in the segments under test.
const fuzzSalt = 42

// FuzzRecovery lets recovery read a segment that holds any bytes behind its head. It
// must not panic, and when it takes the log, all that it says the log holds must be readable,
// and the same after another recovery.
func FuzzRecovery(f *testing.F) {
	at := int64(dataStart + headPayload + codec.FrameOverhead)
	frames := func(es ...protocol.Entry) []byte {
		var b []byte
		for i, e := range es {
			flags := uint8(0)
			if i%2 == 0 {
				flags = flagStart
			}
			b = placeOf(fuzzSalt, at+int64(len(b))).AppendFrame(b, flags, e)
		}
		return b
	}
	f.Add([]byte{}, uint16(0), byte(0))
	f.Add(frames(command(1, 1, 10), command(1, 2, 30), command(2, 2, 5)), uint16(0), byte(0))
	f.Add(frames(command(1, 1, 10), command(1, 2, 30), idRecord(kindBase, protocol.EntryID{Term: 1, Index: 1}), command(2, 2, 5)), uint16(20), byte(1))
	f.Add(frames(command(1, 1, 10), idRecord(kindReset, protocol.EntryID{Term: 3, Index: 9}), command(3, 10, 7), idRecord(kindMark, protocol.EntryID{Term: 3, Index: 10})), uint16(80), byte(255))
	f.Add(frames(command(1, 1, 10), command(1, 3, 30)), uint16(0), byte(0))
	f.Add(frames(command(1, 1, 10), idRecord(kindBase, protocol.EntryID{Term: 1, Index: 7}), idRecord(0x9f, protocol.EntryID{})), uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, flipAt uint16, flipBits byte) {
		if len(data) > minSegmentSize {
			return
		}
		if int(flipAt) < len(data) {
			data[flipAt] ^= flipBits
		}
		disk := vfs.NewMem()
		opts := Options{SegmentSize: minSegmentSize, foreground: true, salt: func() uint64 { return fuzzSalt }}
		if err := Format(disk, "d", crashIdentity, opts); err != nil {
			t.Fatal(err)
		}
		w, err := disk.OpenReadWrite("d/log/" + segmentName(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteAt(data, at); err != nil {
			t.Fatal(err)
		}
		opts.salt = rand.New(rand.NewPCG(1, 1)).Uint64
		recoverTwice(t, disk, opts)
	})
}

func recoverTwice(t *testing.T, disk *vfs.Mem, opts Options) {
	if _, err := Inspect(disk, "d", nil); err != nil {
		t.Logf("inspect: %v", err)
	}
	s, err := Open(disk, "d", opts)
	if err != nil {
		return // refused: nothing is said about it
	}
	state, entries := s.Log.State(), readAll(t, s.Log)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(disk.Crash(vfs.PowerLoss{}), "d", opts)
	if err != nil {
		t.Fatalf("the second recovery: %v", err)
	}
	defer again.Close()
	if d := cmp.Diff(state, again.Log.State()); d != "" {
		t.Fatalf("the second recovery found another state (-first +second):\n%s", d)
	}
	if d := cmp.Diff(entries, readAll(t, again.Log)); d != "" {
		t.Fatalf("the second recovery found other entries (-first +second):\n%s", d)
	}
}

// readAll gives all that the log says it holds. An entry whose record is damaged is in its
// place, and nothing but its ID is known.
func readAll(t *testing.T, l *Log) (all []protocol.Entry) {
	state := l.State()
	for i := state.Base.Index + 1; i <= state.Last; i++ {
		es, err := l.Read(i, i, 1<<30)
		if d, damaged := errors.AsType[*storage.DamageError](err); damaged {
			all = append(all, protocol.Entry{Index: d.Index, Term: d.Term})
			continue
		}
		if err != nil || len(es) != 1 || es[0].Index != i {
			t.Fatalf("the log says it holds %+v, but of index %d it gives %+v, %v", state, i, es, err)
		}
		all = append(all, es[0])
	}
	return all
}
