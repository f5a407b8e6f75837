package kv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// fixture is a store in memory that commands are applied to.
type fixture struct {
	t     testing.TB
	store *kv.Store
	index protocol.Index
}

func newFixture(t testing.TB) *fixture {
	s, err := kv.Open(kv.Options{DataDir: "data", FS: vfs.NewMem(), OnFault: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &fixture{t: t, store: s}
}

func (f *fixture) apply(requests ...proto.Message) []machine.Result {
	f.t.Helper()
	var commands []machine.Command
	for _, r := range requests {
		payload, err := kv.Encode(r)
		if err != nil {
			f.t.Fatal(err)
		}
		f.index++
		commands = append(commands, machine.Command{Index: f.index, Term: 1, Payload: payload})
	}
	results := make([]machine.Result, len(commands))
	if err := f.store.Apply(commands, results); err != nil {
		f.t.Fatal(err)
	}
	return results
}

func (f *fixture) put(key, value string) {
	f.t.Helper()
	f.apply(&pb.PutRequest{Key: []byte(key), Value: []byte(value)})
}

func (f *fixture) snapshot() []byte {
	f.t.Helper()
	s, err := f.store.Snapshot()
	if err != nil {
		f.t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := s.WriteTo(&b); err != nil {
		f.t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		f.t.Fatal(err)
	}
	return b.Bytes()
}

// events takes n events from the stream.
func events(t testing.TB, w *kv.WatchStream, n int) []string {
	t.Helper()
	var got []string
	for len(got) < n {
		d, err := w.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if d.Canceled {
			return append(got, fmt.Sprintf("canceled, compacted %d", d.Compacted))
		}
		for _, e := range d.Events {
			got = append(got, fmt.Sprintf("%d %s %s", e.Kv.ModRevision, e.Type, e.Kv.Key))
		}
	}
	return got
}

// What happened at the compacted revision itself can be watched also when the
// sweeper is done, until the next compaction.
func TestSweepKeepsCompactedRevision(t *testing.T) {
	f := newFixture(t)
	f.put("k", "1")
	put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k")}}}
	remove := &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("k")}}}
	f.apply(&pb.TxnRequest{Success: []*pb.RequestOp{put, remove}}, &pb.CompactionRequest{Revision: 3})
	if err := f.store.WaitSwept(context.Background()); err != nil {
		t.Fatal(err)
	}
	w := f.store.NewWatchStream()
	defer w.Close()
	for _, x := range []struct {
		start int64
		want  []string
	}{
		{3, []string{"3 PUT k", "3 DELETE k"}},
		{2, []string{"canceled, compacted 3"}},
	} {
		if _, err := w.Watch(kv.WatchRequest{Key: []byte("k"), Start: x.start}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x.want, events(t, w, len(x.want))); diff != "" {
			t.Errorf("from revision %d (-want +got):\n%s", x.start, diff)
		}
	}
	f.put("l", "1")
	before := len(f.snapshot())
	f.apply(&pb.CompactionRequest{Revision: 4})
	if err := f.store.WaitSwept(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := len(f.snapshot()); after >= before {
		t.Errorf("a snapshot has %d bytes, and %d after a compaction that leaves one key", before, after)
	}
}

// A reader of an old revision of a key that changed a thousand times finds each of
// its values.
func TestLongChain(t *testing.T) {
	f := newFixture(t)
	for i := range 1000 {
		f.put("k", fmt.Sprint(i))
	}
	for rev := int64(2); rev <= 1001; rev += 37 {
		r, err := f.store.Range(&pb.RangeRequest{Key: []byte("k"), Revision: rev})
		if err != nil || string(r.Kvs[0].Value) != fmt.Sprint(rev-2) || r.Kvs[0].Version != rev-1 {
			t.Errorf("revision %d: %v, %v", rev, r, err)
		}
	}
}

// Readers and watchers run beside Apply, compaction and restores, and what they see
// is always some state that was: the two keys that transactions change together are
// equal in every read, and every watch sees every revision once and in order.
func TestBesideApply(t *testing.T) {
	f := newFixture(t)
	both := func(value string) *pb.TxnRequest {
		r := &pb.TxnRequest{}
		for _, k := range []string{"a", "b"} {
			r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(k), Value: []byte(value)}}})
		}
		return r
	}
	f.apply(both("0"))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := f.store.Range(&pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte("c")})
				if err != nil || len(r.Kvs) != 2 || !bytes.Equal(r.Kvs[0].Value, r.Kvs[1].Value) {
					t.Errorf("read %v, %v", r, err)
					return
				}
			}
		})
	}
	const last = 800
	for _, start := range []int64{0, 1} {
		w := f.store.NewWatchStream()
		if _, err := w.Watch(kv.WatchRequest{Key: []byte("a"), End: []byte("c"), Start: start}); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { defer w.Close(); follow(t, w, last) })
	}
	for i := 1; i < last-1; i++ {
		f.apply(both(fmt.Sprint(i)))
		if i%50 == 0 {
			f.apply(&pb.CompactionRequest{Revision: f.store.Revision() - 5})
		}
		if i%200 == 0 {
			if err := f.store.Restore(protocol.EntryID{Term: 1, Index: f.index}, bytes.NewReader(f.snapshot())); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	wg.Wait()
}

// follow checks the events up to revision last. A watch that compaction has passed
// begins again where it may.
func follow(t *testing.T, w *kv.WatchStream, last int64) {
	for next := int64(0); next <= last; {
		d, err := w.Next(context.Background())
		if err != nil {
			t.Error(err)
			return
		}
		if d.Canceled {
			next = d.Compacted
			if _, err := w.Watch(kv.WatchRequest{Key: []byte("a"), End: []byte("c"), Start: next}); err != nil {
				t.Error(err)
			}
			continue
		}
		for i, e := range d.Events {
			if next == 0 {
				next = e.Kv.ModRevision
			}
			if want := "ab"[i%2 : i%2+1]; e.Kv.ModRevision != next || string(e.Kv.Key) != want {
				t.Errorf("event %v, want %s at %d", e, want, next)
				return
			}
			next += int64(i % 2)
		}
	}
}

// A client that does not read costs a bounded amount of memory, does not hold up
// Apply or others, and gets everything when it reads again.
func TestSlowWatcher(t *testing.T) {
	f := newFixture(t)
	slow, quick := f.store.NewWatchStream(), f.store.NewWatchStream()
	for _, w := range []*kv.WatchStream{slow, quick} {
		defer w.Close()
		if _, err := w.Watch(kv.WatchRequest{Key: []byte{0}, End: []byte{0}}); err != nil {
			t.Fatal(err)
		}
	}
	const n = 1500
	value := strings.Repeat("x", 10_000) // 15 MB in all
	var want []string
	for i := range n {
		f.put(fmt.Sprint(i), value)
		want = append(want, fmt.Sprintf("%d PUT %d", i+2, i))
		if diff := cmp.Diff(want[i:], events(t, quick, 1)); diff != "" {
			t.Fatalf("the quick one (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(want, events(t, slow, n)); diff != "" {
		t.Errorf("the slow one (-want +got):\n%s", diff)
	}
}

func TestRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, x := range []struct {
		payload string
		want    string
		newer   bool // and that a newer version is what is lacking
	}{
		{"\x02\x01", "a command has format 2, this version knows 1", true},
		{"\x01\x09", "operation 9 of a command is not known", true},
		{"\x01", "a command of 1 bytes is too short", false},
		{"\x01\x01\xff", "unexpected EOF", false},
	} {
		f := newFixture(t)
		err := f.store.Apply([]machine.Command{{Index: 5, Term: 1, Payload: []byte(x.payload)}}, make([]machine.Result, 1))
		if err == nil || !strings.Contains(err.Error(), "entry 5: "+x.want) || errors.Is(err, machine.ErrNewer) != x.newer {
			t.Errorf("payload %q: error %v, want %s, of a newer version: %t", x.payload, err, x.want, x.newer)
		}
	}
}

// An interrupted restore leaves the old state; its tables are gone after opening.
func TestRestoreInterrupted(t *testing.T) {
	from := newFixture(t)
	for i := range 2000 {
		from.put(fmt.Sprint(i), strings.Repeat("y", 300))
	}
	data := from.snapshot()
	fs := vfs.NewCrashableMem()
	open := func() *kv.Store {
		s, err := kv.Open(kv.Options{DataDir: "data", FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	f := &fixture{t: t, store: open()}
	f.put("old", "1")
	if _, err := f.store.Sync(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		cut := len(data) * i / 5
		err := f.store.Restore(protocol.EntryID{Term: 1, Index: 5000}, bytes.NewReader(data[:cut]))
		if err == nil {
			t.Fatalf("a snapshot that was cut at %d of %d bytes was restored", cut, len(data))
		}
		if again := f.store.Apply([]machine.Command{{}}, make([]machine.Result, 1)); !errors.Is(again, err) && again == nil {
			t.Error("Apply goes on after a failed restore")
		}
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
		f.store = open()
		if id := f.store.Applied(); id.Index != 1 || f.store.Revision() != 2 {
			t.Errorf("after an interrupted restore entry %d is applied, revision %d", id.Index, f.store.Revision())
		}
		if list, err := fs.List("data"); err != nil || len(list) != 1 {
			t.Errorf("left in the data directory: %v, %v", list, err)
		}
	}
	if err := f.store.Close(); err != nil {
		t.Error(err)
	}
}

// The files' size is right also after opening again.
func TestSize(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		s, err := kv.Open(kv.Options{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{t: t, store: s, index: s.Applied().Index}
		for i := range 1000 {
			f.put(fmt.Sprint(f.index, i), strings.Repeat("z", 1000)+fmt.Sprint(i))
		}
		if _, err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		total, inUse := s.Size()
		if least := int64(f.index) * 20; inUse < least || total < inUse {
			t.Errorf("after %d puts the files take %d bytes, %d in use", f.index, total, inUse)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
