package host_test

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/devtools/memcomms"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// traffic sees the chunks of snapshots that members send.
type traffic struct {
	mu     sync.Mutex
	chunks map[protocol.MemberID]int // by sender
	lasts  map[protocol.EntryID]bool // the snapshots
	bytes  int64                     // of data
}

// watchChunks notes the chunks from now on. damage says of each one, by its number, whether
// a bit is turned over on its way; it may be nil.
func (g *group) watchChunks(damage func(n int) bool) *traffic {
	t := &traffic{chunks: map[protocol.MemberID]int{}, lasts: map[protocol.EntryID]bool{}}
	g.board.Intercept(memcomms.Interceptors{BeforeOut: func(m protocol.Message) []memcomms.Parcel {
		c, ok := m.Body.(*protocol.SnapshotRequest)
		if !ok {
			return memcomms.Pass(m)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.chunks[m.From]++
		t.lasts[c.Meta.Last] = true
		t.bytes += int64(len(c.Data))
		if damage != nil && damage(t.chunks[m.From]) && len(c.Data) > 0 {
			bad := *c
			bad.Data = slices.Clone(c.Data)
			bad.Data[len(bad.Data)/2] ^= 4
			m.Body = &bad
		}
		return memcomms.Pass(m)
	}})
	return t
}

func (t *traffic) of(id protocol.MemberID) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.chunks[id]
}

func (t *traffic) sent() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}

func (t *traffic) snapshots() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.lasts)
}

// laggard isolates a follower until what it lacks is compacted away on both other members,
// who take their snapshots at the same entries. It gives the number of commands.
func (g *group) laggard(l, lag *member) (total int) {
	g.t.Helper()
	g.board.Isolate(lag.id)
	time.Sleep(2 * time.Second) // the leader counts it as silent
	other := g.third(l, lag)
	g.until("the log is compacted", func() bool {
		g.propose(l, fmt.Sprint("command ", total))
		total++
		g.until("both have applied it", func() bool { return other.Applied() == l.Applied() })
		return l.log.State().Base.Index > 40 && other.log.State().Base.Index > 40
	})
	return total
}

func (g *group) third(x, y *member) *member {
	return g.members[slices.IndexFunc(g.members, func(m *member) bool { return m != x && m != y })]
}

func (g *group) mustCatchUp(lag *member, total int) {
	g.t.Helper()
	g.until("the laggard has everything", func() bool { return len(lag.ledger.all()) == total || lag.Fault() != nil })
	if f := lag.Fault(); f != nil {
		g.t.Errorf("the laggard is fenced: %v", f)
	}
	if d := cmp.Diff(g.leader().ledger.all(), lag.ledger.all()); d != "" {
		g.t.Error(d)
	}
}

// A transfer that breaks off goes on where it broke, with the same snapshot, although
// there are newer ones by then.
func TestTransferResumes(t *testing.T) {
	b := &bulky{size: 100_000, chunk: 1000, retain: 1000}
	bubble(t, 3, b.change, func(g *group) {
		l, lag := g.leader(), g.follower()
		total := g.laggard(l, lag)
		b.disks[lag.id].slow.Store(int64(100 * time.Millisecond))
		seen := g.watchChunks(nil)
		g.board.Heal()
		for breaks := range 3 {
			g.until("some chunks were sent", func() bool { return seen.of(l.id) >= 25*(breaks+1) })
			g.board.Isolate(lag.id)
			time.Sleep(15 * time.Second) // the attempt ends
			for range 25 {
				g.propose(l, fmt.Sprint("command ", total))
				total++
			}
			g.board.Heal()
		}
		g.mustCatchUp(lag, total)
		if n := seen.snapshots(); n != 1 {
			t.Errorf("%d snapshots were sent, want one", n)
		}
		if n := seen.of(l.id); n > 160 {
			t.Errorf("%d chunks were sent of a snapshot of about 102", n)
		}
	})
}

// A new leader whose snapshot is the same goes on where the old one stopped.
func TestTransferGoesOnWithTheNextLeader(t *testing.T) {
	b := &bulky{size: 100_000, chunk: 1000, retain: 1000}
	bubble(t, 3, b.change, func(g *group) {
		l, lag := g.leader(), g.follower()
		total := g.laggard(l, lag)
		b.disks[lag.id].slow.Store(int64(20 * time.Millisecond))
		seen := g.watchChunks(nil)
		g.board.Heal()
		g.until("most chunks were sent", func() bool { return seen.of(l.id) >= 70 })
		next := g.third(l, lag)
		if err := l.Transfer(g.t.Context(), next.id); err != nil {
			t.Fatal(err)
		}
		g.mustCatchUp(lag, total)
		if n := seen.snapshots(); n != 1 {
			t.Fatalf("%d snapshots were sent: the members' snapshots are not of the same entry", n)
		}
		if n := seen.of(next.id); n == 0 || n > 50 {
			t.Errorf("the next leader sent %d chunks, of about 102 in all", n)
		}
	})
}

// catchesUp lets a follower with a slow disk lag behind while commands come all the time, and
// gives how many snapshots it was sent until it had caught up, or until 3 min had passed.
func catchesUp(t *testing.T, retain uint64) (snapshots int, behind protocol.Index) {
	b := &bulky{size: 100_000, chunk: 1000, retain: retain, restore: 3 * time.Second}
	bubble(t, 3, b.change, func(g *group) {
		l, lag := g.leader(), g.follower()
		total := g.laggard(l, lag)
		b.disks[lag.id].slow.Store(int64(50 * time.Millisecond)) // 5 s for a snapshot
		seen := g.watchChunks(nil)
		stop := make(chan struct{})
		var load sync.WaitGroup
		load.Go(func() {
			for n := total; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(40 * time.Millisecond): // a snapshot each 0.8 s
					g.propose(l, fmt.Sprint("command ", n))
				}
			}
		})
		g.board.Heal()
		for range 60 {
			time.Sleep(time.Second)
			if behind = l.Applied() - min(lag.Applied(), l.Applied()); behind <= 2 {
				break
			}
		}
		close(stop)
		load.Wait()
		snapshots = seen.snapshots()
	})
	return snapshots, behind
}

// A follower that takes a snapshot more slowly than the log is compacted catches up under
// load, with one snapshot. Without what is retained for it, it would need one after the other.
func TestLaggardCatchesUpUnderLoad(t *testing.T) {
	if n, behind := catchesUp(t, 10_000); n != 1 || behind > 2 {
		t.Errorf("%d snapshots were sent, and it is %d entries behind", n, behind)
	}
	if n, behind := catchesUp(t, 1); n < 3 || behind <= 2 {
		t.Errorf("with nothing retained %d snapshots were sent, and it is %d entries behind: the test has no force", n, behind)
	}
}

// A follower that takes entries more slowly than they come is fed from the log, which is retained
// for it within its bound: it needs no snapshot. With nothing retained it would.
func TestASlowFollowerIsFedFromTheLog(t *testing.T) {
	for _, retain := range []uint64{10_000, 1} {
		logs := map[protocol.MemberID]*slowLog{}
		change := func(o *host.Options) {
			slowLogs(logs)(o)
			o.SnapshotEntries, o.KeepEntries, o.MaxRetainedEntries = 20, 5, retain
			o.MaxMessageBytes, o.MaxInflight = 1, 1 // an entry at a time
		}
		bubble(t, 3, change, func(g *group) {
			l, slow := g.leader(), g.follower()
			seen := g.watchChunks(nil)
			logs[slow.id].by.Store(int64(100 * time.Millisecond))
			const total = 200
			for i := range total {
				time.Sleep(10 * time.Millisecond)
				g.propose(l, fmt.Sprint("command ", i))
			}
			logs[slow.id].by.Store(0)
			g.mustCatchUp(slow, total)
			if n := seen.snapshots(); n > 0 != (retain == 1) {
				t.Errorf("with %d entries retained %d snapshots were sent", retain, n)
			}
		})
	}
}

// slowKeeper takes long to write a snapshot, which is only made for a transfer.
type slowKeeper struct{ *keepingLedger }

func (s slowKeeper) Snapshot() (machine.Snapshot, error) {
	f, err := s.keepingLedger.Snapshot()
	return slowFrozen{f}, err
}

type slowFrozen struct{ machine.Snapshot }

func (f slowFrozen) WriteTo(w io.Writer) (int64, error) {
	time.Sleep(10 * time.Second)
	return f.Snapshot.WriteTo(w)
}

// A snapshot that is made for a laggard takes long, and the log is compacted all the time: it
// keeps what the laggard needs next. Where it may not, the leader tries again and goes on.
func TestSnapshotMadeUnderLoad(t *testing.T) {
	for _, c := range []struct {
		retain uint64
		works  bool
	}{{10_000, true}, {1, false}} {
		disks := map[protocol.MemberID]*ledgerDisk{}
		change := func(o *host.Options) {
			keepingly(o, disks)
			o.Machine = slowKeeper{o.Machine.(*keepingLedger)}
			o.SnapshotEntries, o.KeepEntries, o.MaxRetainedEntries = 20, 5, c.retain
		}
		bubble(t, 3, change, func(g *group) {
			l, lag := g.leader(), g.follower()
			total := g.laggard(l, lag)
			g.board.Heal()
			caughtUp := false
			for range 2000 {
				time.Sleep(40 * time.Millisecond)
				g.propose(l, fmt.Sprint("command ", total))
				total++
				caughtUp = caughtUp || total-len(lag.ledger.all()) <= 2
			}
			if caughtUp != c.works {
				t.Errorf("with %d entries retained the laggard catches up under load: %v", c.retain, caughtUp)
			}
			g.mustCatchUp(lag, total)
		})
	}
}

// A disk that hangs at a snapshot, the follower's or the leader's, stops the transfer and
// nothing else.
func TestHangingSnapshotDisk(t *testing.T) {
	for _, hangsAt := range []string{"leader", "follower"} {
		b := &bulky{size: 10_000, chunk: 1000, retain: 1000}
		bubble(t, 3, b.change, func(g *group) {
			l, lag := g.leader(), g.follower()
			total := g.laggard(l, lag)
			disk := b.disks[map[string]protocol.MemberID{"leader": l.id, "follower": lag.id}[hangsAt]]
			disk.hang()
			before := l.State()
			g.board.Heal()
			for range 50 {
				time.Sleep(time.Second)
				begun := time.Now()
				g.propose(l, fmt.Sprint("command ", total))
				if took := time.Since(begun); took > 100*time.Millisecond {
					t.Errorf("the %s hangs: a command takes %v", hangsAt, took)
				}
				total++
			}
			if now := l.State(); now != before || lag.State().Leader != l.id {
				t.Errorf("the %s hangs: %+v became %+v, the laggard has %+v", hangsAt, before, now, lag.State())
			}
			disk.goOn()
			g.mustCatchUp(lag, total)
		})
	}
}

// spacedLog knows how much room its disk has; it needs little itself.
type spacedLog struct {
	*memlog.Log
	free *atomic.Uint64
}

func (l spacedLog) Room() (storage.Room, error) {
	return storage.Room{Free: l.free.Load(), Need: 1 << 20}, nil
}

// A follower that has no space for a snapshot lives on, tells of it though its log has space,
// and gets it when there is space.
func TestNoSpaceForASnapshot(t *testing.T) {
	b := &bulky{size: 100_000, chunk: 1000, retain: 1000}
	free := map[protocol.MemberID]*atomic.Uint64{}
	change := func(o *host.Options) {
		b.change(o)
		free[o.ID] = &atomic.Uint64{}
		free[o.ID].Store(1 << 30)
		o.Log = spacedLog{o.Log.(*memlog.Log), free[o.ID]}
	}
	bubble(t, 3, change, func(g *group) {
		l, lag := g.leader(), g.follower()
		total := g.laggard(l, lag)
		disk := b.disks[lag.id]
		disk.slow.Store(int64(20 * time.Millisecond))
		seen := g.watchChunks(nil)
		g.board.Heal()
		g.until("some chunks have come", func() bool { return seen.of(l.id) > 20 })
		disk.full.Store(true)
		free[lag.id].Store(1 << 10)
		time.Sleep(10 * time.Second)
		if a := lag.Ailments(); len(a) != 1 || a[0].Kind != fault.DiskFull {
			t.Errorf("without space for a snapshot the laggard suffers from %v", a)
		}
		if n := len(lag.ledger.all()); n != 0 || lag.Fault() != nil {
			t.Errorf("without space the laggard has %d entries and the fault %v", n, lag.Fault())
		}
		if n := seen.of(l.id); n > 300 {
			t.Errorf("%d chunks were sent in 10 s to a disk that is full", n)
		}
		disk.full.Store(false)
		free[lag.id].Store(1 << 30)
		g.mustCatchUp(lag, total)
		g.until("it is over", func() bool { return len(lag.Ailments()) == 0 })
	})
}

// Commands are committed and answered at once while a snapshot is written for a long time.
func TestSnapshotStopsNoWrites(t *testing.T) {
	b := &bulky{size: 1000, chunk: 1000, retain: 1, write: 3 * time.Second}
	bubble(t, 3, b.change, func(g *group) {
		l := g.leader()
		for i := range 30 {
			g.propose(l, fmt.Sprint(i))
		}
		for during := range 290 { // 2.9 s
			time.Sleep(10 * time.Millisecond)
			if b.writing[l.id].Load() == 0 {
				t.Fatalf("no snapshot is written after %d commands", during)
			}
			begun := time.Now()
			g.propose(l, fmt.Sprint("during ", during))
			if took := time.Since(begun); took > 10*time.Millisecond {
				t.Fatalf("a command takes %v while a snapshot is written", took)
			}
		}
	})
}

// Bits that are turned over on the way are noticed, and the chunk is sent again: what is
// installed is right. A chunk that never arrives well is given up, and nothing is installed.
func TestDamageOnTheWay(t *testing.T) {
	b := &bulky{size: 100_000, chunk: 1000, retain: 1000}
	bubble(t, 3, b.change, func(g *group) {
		l, lag := g.leader(), g.follower()
		total := g.laggard(l, lag)
		var broken atomic.Bool
		broken.Store(true)
		seen := g.watchChunks(func(n int) bool { return broken.Load() || n%3 == 0 })
		g.board.Heal()
		time.Sleep(5 * time.Second)
		if n := len(lag.ledger.all()); n != 0 {
			t.Errorf("the laggard has %d entries of a snapshot that never arrived well", n)
		}
		if n := seen.of(l.id); n > 1000 {
			t.Errorf("%d chunks were sent in 5 s, all in vain", n)
		}
		broken.Store(false)
		g.mustCatchUp(lag, total)
	})
}

// A stored snapshot that a leader cannot read is not sent: it makes another one.
func TestDamagedSnapshotIsMadeAgain(t *testing.T) {
	b := &bulky{size: 100_000, chunk: 1000, retain: 1000}
	bubble(t, 3, b.change, func(g *group) {
		l, lag := g.leader(), g.follower()
		b.disks[l.id].damaged.Store(true) // of the snapshot that is opened first
		total := g.laggard(l, lag)
		g.board.Heal()
		g.mustCatchUp(lag, total)
		if f := l.Fault(); f != nil {
			t.Errorf("the leader is fenced: %v", f)
		}
		if !b.disks[l.id].met.Load() {
			t.Error("nobody met the damage")
		}
	})
}

// However large a snapshot is, both ends of its transfer hold a few chunks of it.
func TestTransferMemory(t *testing.T) {
	const size, chunk = 32 << 20, 64 << 10
	b := &bulky{size: size, chunk: chunk, retain: 1000}
	bubble(t, 3, b.change, func(g *group) {
		l, lag := g.leader(), g.follower()
		total := g.laggard(l, lag)
		disk := b.disks[lag.id]
		disk.slow.Store(int64(time.Millisecond))
		seen := g.watchChunks(nil)
		before := disk.written.Load()
		heap := liveBytes()
		g.board.Heal()
		most, grown := int64(0), int64(0)
		for disk.written.Load()-before < size {
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			written := disk.written.Load() - before
			if most = max(most, seen.sent()-written); written > (1+grown/size)*size/4 {
				// The disks are in memory too, and have what was written.
				grown = max(grown, liveBytes()-heap-2*written)
			}
		}
		g.mustCatchUp(lag, total)
		if limit := int64(4 * chunk); most > limit {
			t.Errorf("up to %d bytes of chunks were under way at once, at most %d are expected", most, limit)
		}
		if grown > size/4 {
			t.Errorf("the process grew by %d bytes during the transfer of %d", grown, size)
		}
	})
}

func liveBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
