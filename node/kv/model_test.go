package kv_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run only this seed of the model test")
	seedsFlag = flag.Uint64("seeds", 12, "seeds of the model test")
)

// TestModel applies random commands to the store and its twin, crashing, restoring
// and compacting on the way, and compares everything that a client can see.
func TestModel(t *testing.T) {
	for seed := range *seedsFlag {
		if *seedFlag != 0 && seed != *seedFlag {
			seed = *seedFlag
		}
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, seed)
			for range 400 {
				m.step()
				if t.Failed() {
					t.Fatalf("run again with -seed=%d", seed)
				}
			}
			m.compareAll()
			m.close()
		})
		if *seedFlag != 0 {
			return
		}
	}
}

type model struct {
	t     *testing.T
	rng   *rand.Rand
	fs    *vfs.MemFS
	store *kv.Store
	log   []machine.Command // everything that was ever applied
	done  int               // of log, what the store has
	twin  *twin
	watch *kv.WatchStream
	seen  map[int64][]*mvccpb.Event
	wants map[int64]kv.WatchRequest
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 7)), fs: vfs.NewCrashableMem(), twin: newTwin()}
	m.open()
	return m
}

func (m *model) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) open() {
	var err error
	m.store, err = kv.Open(kv.Options{
		DataDir: "data", FS: m.fs, MemTableBytes: 256 << 10, CacheBytes: 1 << 20,
		OnFault: func(err error) { m.t.Error(err) },
	})
	m.check(err)
	m.watch = m.store.NewWatchStream()
	m.seen, m.wants = map[int64][]*mvccpb.Event{}, map[int64]kv.WatchRequest{}
}

func (m *model) close() {
	m.watch.Close()
	m.check(m.store.Close())
}

func (m *model) step() {
	switch n := m.rng.IntN(100); {
	case n < 60:
		m.applySome()
	case n < 85:
		m.compareReads()
	case n < 89:
		m.addWatch()
	case n < 94:
		m.compareWatches()
	case n < 96:
		m.sync()
	case n < 97:
		m.crash()
	case n < 98:
		m.restore()
	default:
		m.check(m.store.WaitSwept(context.Background()))
	}
}

func (m *model) key() []byte { return fmt.Appendf(nil, "%c", 'a'+m.rng.IntN(8)) }

// span gives a key and a range end of every form.
func (m *model) span() (key, end []byte) {
	key = m.key()
	switch m.rng.IntN(6) {
	case 0:
		return key, []byte{0}
	case 1:
		return []byte{0}, []byte{0}
	case 2, 3:
		return key, m.key() // may be empty
	}
	return key, nil
}

func (m *model) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: m.key(), PrevKv: m.rng.IntN(2) == 0}
	switch m.rng.IntN(10) {
	case 0:
		r.IgnoreValue = true
		return r
	case 1:
		r.IgnoreLease = true
	case 2:
		r.Lease = 5
	}
	width := m.rng.IntN(40)
	if m.rng.IntN(4) == 0 {
		width = 200 // goes into a blob file
	}
	r.Value = fmt.Appendf(nil, "%0*d", width, m.rng.IntN(4))
	return r
}

func (m *model) delete() *pb.DeleteRangeRequest {
	r := &pb.DeleteRangeRequest{PrevKv: m.rng.IntN(2) == 0}
	r.Key, r.RangeEnd = m.span()
	return r
}

func (m *model) read() *pb.RangeRequest {
	r := &pb.RangeRequest{Limit: int64(max(0, m.rng.IntN(6)-2)), KeysOnly: m.rng.IntN(5) == 0, CountOnly: m.rng.IntN(8) == 0}
	r.Key, r.RangeEnd = m.span()
	if m.rng.IntN(2) == 0 {
		r.Revision = m.twin.rev + 2 - int64(m.rng.IntN(int(m.twin.rev)+3))
	}
	if m.rng.IntN(3) == 0 {
		r.SortOrder = pb.RangeRequest_SortOrder(m.rng.IntN(3))
		r.SortTarget = pb.RangeRequest_SortTarget(m.rng.IntN(5))
	}
	if m.rng.IntN(4) == 0 {
		for _, bound := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
			if m.rng.IntN(3) == 0 {
				*bound = m.rng.Int64N(m.twin.rev + 1)
			}
		}
	}
	return r
}

func (m *model) compare() *pb.Compare {
	c := &pb.Compare{Result: pb.Compare_CompareResult(m.rng.IntN(4)), Target: pb.Compare_CompareTarget(m.rng.IntN(5))}
	c.Key, c.RangeEnd = m.span()
	n := m.rng.Int64N(4)
	switch c.Target {
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: fmt.Appendf(nil, "%d", n)}
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: n}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: m.rng.Int64N(m.twin.rev)}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: m.rng.Int64N(m.twin.rev)}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: n}
	}
	return c
}

// txn makes a transaction. Keys are put at most once, as etcdapi sees to.
func (m *model) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range m.rng.IntN(3) {
		r.Compare = append(r.Compare, m.compare())
	}
	put := map[string]bool{}
	for _, ops := range []*[]*pb.RequestOp{&r.Success, &r.Failure} {
		for range m.rng.IntN(4) {
			*ops = append(*ops, m.operation(depth, put))
		}
	}
	return r
}

func (m *model) operation(depth int, put map[string]bool) *pb.RequestOp {
	switch n := m.rng.IntN(8); {
	case n == 0 && depth < 2:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: m.txn(depth + 1)}}
	case n < 3:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: m.read()}}
	case n < 4:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: m.delete()}}
	}
	r := m.put()
	r.IgnoreValue, r.IgnoreLease = false, false // what an earlier operation deletes is not there
	if put[string(r.Key)] {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: m.read()}}
	}
	put[string(r.Key)] = true
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
}

func (m *model) request() proto.Message {
	switch n := m.rng.IntN(20); {
	case n < 8:
		return m.put()
	case n < 10:
		return m.delete()
	case n < 11:
		return &pb.CompactionRequest{Revision: m.twin.rev + 2 - m.rng.Int64N(min(m.twin.rev+2, 30))}
	}
	return m.txn(0)
}

// applySome applies a batch to both and compares the results.
func (m *model) applySome() {
	n := 1 + m.rng.IntN(12)
	requests, want := make([]proto.Message, n), make([]machine.Result, n)
	for i := range n {
		requests[i] = m.request()
		payload, err := kv.Encode(requests[i])
		m.check(err)
		m.log = append(m.log, machine.Command{Index: protocol.Index(len(m.log) + 1), Term: 1, Payload: payload})
		want[i].Value, want[i].Err = m.twin.apply(requests[i])
	}
	got := make([]machine.Result, n)
	m.check(m.store.Apply(m.log[m.done:], got))
	m.done = len(m.log)
	for i := range n {
		if got[i].Err != want[i].Err {
			m.t.Errorf("%v: error %v, want %v", requests[i], got[i].Err, want[i].Err)
		} else if diff := m.diff(want[i].Value, got[i].Value); want[i].Err == nil && diff != "" {
			m.t.Errorf("%v (-want +got):\n%s", requests[i], diff)
		}
	}
}

func (m *model) diff(want, got any) string {
	return cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreEmptyMessages())
}

func (m *model) compareReads() {
	for range 8 {
		r := m.read()
		want, wantErr := m.twin.doRange(r, m.twin.rev)
		got, err := m.store.Range(r)
		if err != wantErr {
			m.t.Errorf("%v at %d, compacted %d: error %v, want %v", r, m.twin.rev, m.twin.compact, err, wantErr)
		} else if diff := m.diff(want, got); err == nil && diff != "" {
			m.t.Errorf("%v at %d, compacted %d (-want +got):\n%s", r, m.twin.rev, m.twin.compact, diff)
		}
	}
}

// compareAll compares the whole state at every revision that can be read.
func (m *model) compareAll() {
	for rev := max(1, m.twin.compact); rev <= m.twin.rev; rev++ {
		r := &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev}
		want, _ := m.twin.doRange(r, m.twin.rev)
		got, err := m.store.Range(r)
		m.check(err)
		if diff := m.diff(want, got); diff != "" {
			m.t.Errorf("revision %d of %d (-want +got):\n%s", rev, m.twin.rev, diff)
		}
	}
}

func (m *model) sync() {
	id, err := m.store.Sync()
	m.check(err)
	if int(id.Index) != m.done {
		m.t.Errorf("after entry %d Sync gives %v", m.done, id)
	}
}

// crash loses what was not synced, in part, and applies the log again from where the
// store says.
func (m *model) crash() {
	synced := protocol.EntryID{}
	if m.rng.IntN(2) == 0 {
		var err error
		synced, err = m.store.Sync()
		m.check(err)
		m.applySome()
	}
	crashed := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: m.rng.IntN(101), RNG: m.rng})
	m.close()
	m.fs = crashed
	m.open()
	applied := m.store.Applied()
	if applied.Index < synced.Index || int(applied.Index) > m.done {
		m.t.Fatalf("synced up to %d and applied up to %d, the store has %d after a crash", synced.Index, m.done, applied.Index)
	}
	m.reapply(int(applied.Index))
}

func (m *model) reapply(from int) {
	for from < m.done {
		to := min(m.done, from+1+m.rng.IntN(9))
		m.check(m.store.Apply(m.log[from:to], make([]machine.Result, to-from)))
		from = to
	}
	if got := m.store.Revision(); got != m.twin.rev {
		m.t.Errorf("after applying again the revision is %d, want %d", got, m.twin.rev)
	}
}

// restore moves the state into a store that is somewhere behind.
func (m *model) restore() {
	frozen, err := m.store.Snapshot()
	m.check(err)
	var data bytes.Buffer
	_, err = frozen.WriteTo(&data)
	m.check(err)
	m.check(frozen.Close())
	m.close()
	m.fs = vfs.NewCrashableMem()
	m.open()
	back := m.rng.IntN(m.done + 1)
	m.check(m.store.Apply(m.log[:back], make([]machine.Result, back)))
	id := protocol.EntryID{Term: 1, Index: protocol.Index(m.done)}
	m.check(m.store.Restore(id, &data))
	if m.rng.IntN(2) == 0 {
		m.close()
		m.open()
	}
	if got := m.store.Applied(); got != id {
		m.t.Errorf("restored up to %v, applied is %v", id, got)
	}
}

func (m *model) addWatch() {
	r := kv.WatchRequest{PrevKV: m.rng.IntN(2) == 0, NoPut: m.rng.IntN(6) == 0, NoDelete: m.rng.IntN(6) == 0}
	for r.Key, r.End = m.span(); len(r.End) > 0 && r.End[0] != 0 && bytes.Compare(r.Key, r.End) >= 0; {
		r.Key, r.End = m.span()
	}
	if r.Start = 1 + m.rng.Int64N(m.twin.rev+5); m.rng.IntN(2) == 0 {
		r.Start = max(1, m.twin.compact-1+m.rng.Int64N(4)) // around what is compacted
	}
	id, err := m.watch.Watch(r)
	m.check(err)
	m.wants[id] = r
	m.seen[id] = nil
}

// compareWatches takes everything that was delivered up to now.
func (m *model) compareWatches() {
	m.watch.Progress()
	for {
		d, err := m.watch.Next(context.Background())
		m.check(err)
		if d.Watch == -1 {
			if d.Revision != m.twin.rev {
				m.t.Errorf("progress up to %d, want %d", d.Revision, m.twin.rev)
			}
			break
		}
		if d.Canceled {
			if d.Compacted != m.twin.compact || m.wants[d.Watch].Start >= d.Compacted {
				m.t.Errorf("watch %+v was canceled: compacted %d, want %d", m.wants[d.Watch], d.Compacted, m.twin.compact)
			}
			delete(m.wants, d.Watch)
		}
		m.seen[d.Watch] = append(m.seen[d.Watch], d.Events...)
	}
	for id, r := range m.wants {
		if diff := m.diff(m.expected(r, m.seen[id]), m.seen[id]); diff != "" {
			m.t.Errorf("watch %+v at %d, compacted %d (-want +got):\n%s", r, m.twin.rev, m.twin.compact, diff)
		}
	}
}

// expected gives the events of a watch. Whether an event has its previous pair when
// compaction has come near is taken from what was seen, because it depends on when it
// was delivered.
func (m *model) expected(r kv.WatchRequest, seen []*mvccpb.Event) []*mvccpb.Event {
	var want []*mvccpb.Event
	for _, e := range m.twin.events {
		if e.Kv.ModRevision < r.Start || !covers(r.Key, r.End, e.Kv.Key) ||
			r.NoPut && e.Type == mvccpb.Event_PUT || r.NoDelete && e.Type == mvccpb.Event_DELETE {
			continue
		}
		x := &mvccpb.Event{Type: e.Type, Kv: e.Kv}
		if r.PrevKV {
			x.PrevKv = m.twin.state(e.Kv.ModRevision - 1)[string(e.Kv.Key)]
		}
		if e.Kv.ModRevision-1 < m.twin.compact && len(want) < len(seen) && seen[len(want)].PrevKv == nil {
			x.PrevKv = nil
		}
		want = append(want, x)
	}
	return want
}

func covers(key, end, k []byte) bool {
	switch {
	case len(end) == 0:
		return bytes.Equal(k, key)
	case end[0] == 0:
		return bytes.Compare(k, key) >= 0
	}
	return bytes.Compare(k, key) >= 0 && bytes.Compare(k, end) < 0
}
