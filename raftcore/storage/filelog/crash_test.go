package filelog

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// The crash test runs a random workload over the crashable file system and lets the
// power fail before each single operation on the disk, with several choices of what
// survives. What is found afterwards must be the state after some prefix of what was
// queued, and that prefix must contain all that was acknowledged.

// logState is the log after a prefix of the operations. full has also what Compact
// allowed the log to drop.
type logState struct {
	full storagetest.Model
	base protocol.Index
}

// differs tells in what a recovered log is not this state.
func (s logState) differs(l *Log) string {
	got := l.State()
	if got.Base.Index < s.full.Base.Index || got.Base.Index > s.base || got.Last != s.full.Last().Index {
		return fmt.Sprintf("it holds (%d, %d], want (between %d and %d, %d]", got.Base.Index, got.Last, s.full.Base.Index, s.base, s.full.Last().Index)
	}
	m := s.full.Clone()
	m.Compact(got.Base.Index)
	return storagetest.CompareLog(l, m)
}

// workload is one run and what is known about it at each moment.
type workload struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	fs   *vfs.Mem
	opts Options

	between func(vfs.FS) vfs.FS // stands between the store and the disk, when set

	mu     sync.Mutex // guards what follows
	states []logState // after each entry or operation that was queued
	acked  int        // states[acked] and nothing less must be found
	votes  []protocol.HardState
	voted  int
	snaps  map[protocol.EntryID][]byte
	saved  []protocol.EntryID // snapshots that were committed

	crashes int
	failed  string
	gate    chan struct{}
	reached chan struct{}
}

func newWorkload(t *testing.T, seed uint64) *workload {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	salts := rand.New(rand.NewPCG(seed, 2))
	return &workload{
		t: t, seed: seed, rng: rng, fs: vfs.NewMem(),
		opts:   Options{SegmentSize: minSegmentSize, KeepFree: 2, salt: salts.Uint64, foreground: true},
		states: []logState{{}}, votes: []protocol.HardState{{}}, snaps: map[protocol.EntryID][]byte{},
		gate: make(chan struct{}), reached: make(chan struct{}),
	}
}

var crashIdentity = Identity{ClusterID: "c", Name: "n", MemberID: 1, Incarnation: 5}

// run does a number of rounds. crash is called before each change of the disk.
func (w *workload) run(rounds int, crash func()) {
	if err := Format(w.fs, "d", crashIdentity, w.opts); err != nil {
		w.t.Fatal(err)
	}
	var disk vfs.FS = w.fs
	if w.between != nil {
		disk = w.between(disk)
	}
	s, err := Open(disk, "d", w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.fs.Observe(func(vfs.Op, string) { crash() })
	// The log's goroutine waits in the last done of each round until the next round
	// is queued as a whole. So every batch is the same in each run of the seed.
	w.queue(s, true)
	<-w.reached
	for range rounds {
		w.round(s)
		w.gate <- struct{}{}
		<-w.reached
	}
	close(w.gate)
	s.Close()
	w.fs.Observe(nil)
	crash()
}

// round queues a few operations, the last of which is the gate.
func (w *workload) round(s *Store) {
	switch w.rng.IntN(8) {
	case 0:
		w.vote(s)
	case 1:
		w.snapshot(s)
	}
	for range w.rng.IntN(5) {
		w.queue(s, false)
	}
	w.queue(s, true)
}

// queue queues one random operation; a gate is never a Compact, which tells nobody
// when it is durable.
func (w *workload) queue(s *Store, gate bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.states[len(w.states)-1]
	last, base := now.full.Last(), max(now.base, now.full.Base.Index)
	p := w.rng.IntN(100)
	switch {
	case p < 10 && last.Index > base && !gate:
		now.base = base + 1 + protocol.Index(w.rng.Uint64N(uint64(last.Index-base)))
		w.states = append(w.states, now)
		if err := s.Log.Compact(now.base); err != nil {
			w.fail("%v", err)
		}
		return
	case p < 14:
		id := protocol.EntryID{Term: last.Term + 1, Index: base + protocol.Index(w.rng.IntN(30))}
		members := fmt.Appendf(nil, "members as of %d", id.Index)
		w.states = append(w.states, logState{full: storagetest.Model{Base: id, Configuration: members}, base: id.Index})
		s.Log.Reset(id, members, w.done(gate))
		return
	}
	at, term := last.Index+1, max(last.Term, 1)
	if p < 34 && last.Index > base {
		at = base + 1 + protocol.Index(w.rng.Uint64N(uint64(last.Index-base)))
		term++
	}
	es := w.entries(term, at)
	for i := range es {
		next := logState{full: now.full.Clone(), base: now.base}
		next.full.Append(es[:i+1]...)
		w.states = append(w.states, next)
	}
	s.Log.Append(es, w.done(gate))
}

// done gives the done function of the operation that led to the present last state.
func (w *workload) done(gate bool) func(error) {
	state := len(w.states) - 1
	return func(err error) {
		w.mu.Lock()
		if err != nil {
			w.fail("an operation failed: %v", err)
		}
		w.acked = state
		w.mu.Unlock()
		if gate {
			w.reached <- struct{}{}
			<-w.gate
		}
	}
}

func (w *workload) entries(term protocol.Term, at protocol.Index) []protocol.Entry {
	es := make([]protocol.Entry, 1+w.rng.IntN(5))
	for i := range es {
		size := []int{0, 20, 200, 700, 3000}[w.rng.IntN(5)]
		if w.rng.IntN(40) == 0 {
			size = 9000 // larger than a segment
		}
		payload := make([]byte, size)
		for j := range payload {
			payload[j] = byte(w.rng.Uint32())
		}
		es[i] = protocol.Entry{Term: term, Index: at + protocol.Index(i), Kind: protocol.EntryCommand, Payload: payload}
		if w.rng.IntN(10) == 0 && len(payload) > 0 {
			es[i].Kind = protocol.EntryConfiguration
		}
	}
	return es
}

func (w *workload) vote(s *Store) {
	w.mu.Lock()
	v := protocol.HardState{Term: protocol.Term(len(w.votes)), Vote: protocol.MemberID(w.rng.IntN(3))}
	w.votes = append(w.votes, v)
	w.mu.Unlock()
	err := s.Votes.Save(v) // the observer takes the lock
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.fail("%v", err)
	}
	w.voted = len(w.votes) - 1
}

func (w *workload) snapshot(s *Store) {
	w.mu.Lock()
	id := protocol.EntryID{Term: 1, Index: protocol.Index(len(w.snaps) + 1)}
	data := make([]byte, 1+w.rng.IntN(chunkSize+2000))
	data[len(data)/2] = byte(id.Index)
	w.snaps[id] = data
	w.mu.Unlock()
	sw, err := s.Snapshots.Create(protocol.SnapshotMeta{Last: id})
	if err == nil {
		_, err = sw.Write(data)
	}
	if err == nil {
		err = sw.Commit()
	}
	w.mu.Lock()
	w.saved = append(w.saved, id)
	trim := w.rng.IntN(3) == 0
	if trim {
		w.saved = w.saved[len(w.saved)-1:]
	}
	w.mu.Unlock()
	if err == nil && trim {
		err = s.Snapshots.Keep(1)
	}
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fail("%v", err)
	}
}

// One of so many crashes, and one of so many kills, is followed by crashes of its
// recovery.
const (
	nested = 37
	killed = 5
)

// check recovers a crashed disk, compares, and goes on a little, so that what a torn
// write has left would come up.
func (w *workload) check(disk *vfs.Mem, what string, nest bool) {
	w.crashes++
	opts := w.opts
	opts.salt = rand.New(rand.NewPCG(w.seed, uint64(w.crashes))).Uint64
	var again []*vfs.Mem // what is found when the power fails during recovery as well
	if nest {
		disk.Observe(func(vfs.Op, string) {
			again = append(again, disk.Crash(vfs.PowerLoss{Keep: 50, Seed: w.seed + uint64(len(again))}))
		})
	}
	s, err := Open(disk, "d", opts)
	if err != nil {
		w.fail("%s: recovery: %v", what, err)
		return
	}
	disk.Observe(nil)
	for i, d := range again {
		w.check(d, fmt.Sprintf("%s, then before operation %d of recovery", what, i+1), false)
	}
	found := w.find(s.Log)
	if found < 0 {
		w.fail("%s: the log is not any state from %d to %d; it differs from the acknowledged one: %s", what, w.acked, len(w.states)-1, w.states[w.acked].differs(s.Log))
		s.Close()
		return
	}
	w.checkVotes(s, what)
	w.checkSnapshots(s, what)
	w.goOn(disk, s, w.states[found], opts, what)
}

func (w *workload) fail(format string, args ...any) {
	if w.failed == "" {
		w.failed = fmt.Sprintf(format, args...)
	}
}

func (w *workload) find(l *Log) int {
	for i := len(w.states) - 1; i >= w.acked; i-- {
		if w.states[i].differs(l) == "" {
			return i
		}
	}
	return -1
}

func (w *workload) checkVotes(s *Store, what string) {
	v, err := s.Votes.Load()
	if err != nil || !slices.Contains(w.votes[w.voted:], v) {
		w.fail("%s: votes give %+v, %v; want one of %+v", what, v, err, w.votes[w.voted:])
	}
}

func (w *workload) checkSnapshots(s *Store, what string) {
	ids, err := s.Snapshots.list()
	if err != nil {
		w.fail("%s: %v", what, err)
	}
	for _, id := range w.saved {
		if !slices.Contains(ids, id) {
			w.fail("%s: snapshot %v is gone", what, id)
		}
	}
	for _, id := range ids {
		r, _, err := s.Snapshots.Open(id)
		if err != nil {
			w.fail("%s: snapshot %v: %v", what, id, err)
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(data, w.snaps[id]) {
			w.fail("%s: snapshot %v is not what was written: %v", what, id, err)
		}
		r.Close()
	}
}

// goOn appends one entry and crashes again, losing all that was not synced.
func (w *workload) goOn(disk *vfs.Mem, s *Store, state logState, opts Options, what string) {
	vote, _ := s.Votes.Load() // was checked
	last := state.full.Last()
	e := protocol.Entry{Term: last.Term + 1, Index: last.Index + 1, Kind: protocol.EntryNoOp}
	done := make(chan error, 1)
	s.Log.Append([]protocol.Entry{e}, func(err error) { done <- err })
	if err := <-done; err != nil {
		w.fail("%s: append after recovery: %v", what, err)
	}
	after := disk.Crash(vfs.PowerLoss{})
	s.Close()
	again, err := Open(after, "d", opts)
	if err != nil {
		w.fail("%s: second recovery: %v", what, err)
		return
	}
	defer again.Close()
	if v, err := again.Votes.Load(); v != vote || err != nil {
		w.fail("%s: after going on and a second crash: votes give %+v, %v; they gave %+v before", what, v, err, vote)
	}
	state.full = state.full.Clone()
	state.full.Append(e)
	if d := state.differs(again.Log); d != "" {
		w.fail("%s: after going on and a second crash: %s", what, d)
	}
}

// dials are the choices of what survives at each crash.
func dials(seed uint64) []vfs.PowerLoss {
	return []vfs.PowerLoss{{Keep: 0}, {Keep: 100}, {Keep: 50, Seed: seed}, {Keep: 80, Seed: seed, Sector: 4096}}
}

// crashEverywhere crashes before each operation. With every, all dials are tried there, and
// otherwise one or two of them in turn, which finds the same mistakes with more seeds in the
// same time.
func (w *workload) crashEverywhere(rounds int, every bool) {
	n := uint64(0)
	w.run(rounds, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		n++
		for i, d := range dials(w.seed<<20 + n<<4) {
			if w.failed == "" && (every || n%4 == uint64(i)) {
				w.check(w.fs.Crash(d), fmt.Sprintf("crash before operation %d with %+v", n, d), w.crashes%nested == 0)
			}
		}
		if w.failed == "" && (every || n%3 == 0) {
			w.check(w.fs.Kill(), fmt.Sprintf("kill before operation %d", n), n%killed == 0)
		}
	})
}

var (
	crashSeeds = flag.Uint64("crash-seeds", 5, "number of workloads that are crashed at each operation")
	crashFrom  = flag.Uint64("crash-from", 0, "seed of the first one")
	crashEvery = flag.Uint64("crash-every", 1, "of how many of them every outcome of a crash is tried at each operation")
)

func TestEveryPrefixOfWritesRecovers(t *testing.T) {
	wantBranches(t, branchesOfCrashes...)
	crashes := 0
	for seed := *crashFrom; seed < *crashFrom+*crashSeeds; seed++ {
		w := newWorkload(t, seed)
		w.crashEverywhere(12, seed-*crashFrom < *crashEvery)
		crashes += w.crashes
		if w.failed != "" {
			t.Fatalf("seed %d: %s", seed, w.failed)
		}
	}
	t.Logf("%d seeds, %d crashes", *crashSeeds, crashes)
}

// With its own goroutines the log is not the same in each run of a seed, but what must
// be found is.
func TestCrashesWhileFilesArePrepared(t *testing.T) {
	for seed := *crashFrom; seed < *crashFrom+1; seed++ {
		w := newWorkload(t, seed)
		w.opts.foreground = false
		w.opts.salt = newSalt
		w.crashEverywhere(12, false)
		if w.failed != "" {
			t.Fatalf("seed %d: %s", seed, w.failed)
		}
	}
}

// lazy is a disk that loses the syncs of some files.
type lazy struct {
	vfs.FS
	pattern string
}

type lazyFile struct{ vfs.File }

func (lazyFile) Sync() error { return nil }

func (l lazy) OpenReadWrite(name string) (vfs.File, error) {
	f, err := l.FS.OpenReadWrite(name)
	if ok, _ := path.Match(l.pattern, path.Base(name)); ok && err == nil {
		return lazyFile{f}, nil
	}
	return f, err
}

// The crash test must be able to fail: when a sync is left out, something that was
// acknowledged is lost.
func TestCrashesFindLostSyncs(t *testing.T) {
	for _, pattern := range []string{"*.seg", "meta"} {
		w := newWorkload(t, 1)
		w.between = func(fsys vfs.FS) vfs.FS { return lazy{fsys, pattern} }
		w.crashEverywhere(12, false)
		if w.failed == "" {
			t.Errorf("%d crashes did not find that %s is never synced", w.crashes, pattern)
		}
	}
}
