package host_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
)

var (
	hostSeeds = flag.Int("host.seeds", 30, "how many seeds TestRandomFaults runs")
	hostFirst = flag.Uint64("host.first", 1, "the first seed of TestRandomFaults")
)

// Members live through random faults while clients propose and read through all of
// them; record says what must hold. A seed repeats the plan; which goroutine comes
// first may differ.
func TestRandomFaults(t *testing.T) {
	for i := range *hostSeeds {
		seed := *hostFirst + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := planOf(seed)
			bubble(t, p.members, p.change, func(g *group) { newRandomRun(g, p).run() })
			if t.Failed() {
				t.Logf("repeat it with -host.seeds 1 -host.first %d; the plan was %+v", seed, p)
			}
		})
	}
}

// plan is what a seed decides before anything runs.
type plan struct {
	seed              uint64
	members           int
	clients, each     int // operations of each client
	snapshot, keep    uint64
	retain            uint64        // at most
	chunk             int           // bytes
	tail, queued      int           // bytes in memory, bytes that may wait
	inflight          int           // messages
	large             int           // bytes of the larger payloads
	pause             time.Duration // between events, at most
	think             time.Duration // between a client's operations, at most
	loss              float64       // of messages, while they are lost at random
	cleanStopPercent  int           // of the restarts
	abandonPercent    int           // of the operations have a context that ends early
	unboundedPercent  int           // of the proposals have one that never ends
	readBarrierWeight int           // percent of the operations
	sessionClients    int           // further clients, each in a session
	sessionTimeout    time.Duration
	maxSessions       int

	disks map[protocol.MemberID]*ledgerDisk // of durable state machines; nil: they are not
}

func planOf(seed uint64) plan {
	r := rand.New(rand.NewPCG(seed, 1))
	p := plan{
		seed: seed, members: 3 + 2*r.IntN(2), clients: 3 + r.IntN(4),
		snapshot: 3 + r.Uint64N(40), keep: 1 + r.Uint64N(10),
		tail: 1 << r.IntN(16), queued: 64 << 20, inflight: 1 + r.IntN(4), large: 200,
		pause:            time.Duration(20+r.IntN(800)) * time.Millisecond,
		think:            time.Duration(1+r.IntN(200)) * time.Millisecond,
		loss:             r.Float64() / 2,
		cleanStopPercent: r.IntN(50), abandonPercent: r.IntN(30), unboundedPercent: r.IntN(10),
		readBarrierWeight: 10 + r.IntN(40),
	}
	p.retain, p.chunk = 1<<r.IntN(10), 1<<(4+r.IntN(16))
	p.sessionClients, p.maxSessions = 1+r.IntN(3), 2+r.IntN(6)
	p.sessionTimeout = time.Duration(3+r.IntN(60)) * time.Second
	p.each = (200 + r.IntN(301)) / p.clients
	if r.IntN(3) == 0 {
		p.queued = 100 + r.IntN(2000)
	}
	if r.IntN(6) == 0 {
		p.large = 100 << 10 // a snapshot becomes many chunks
	}
	if r.IntN(3) == 0 {
		p.disks = map[protocol.MemberID]*ledgerDisk{}
	}
	return p
}

func (p plan) change(o *host.Options) {
	o.SnapshotEntries, o.KeepEntries, o.MaxRetainedEntries = p.snapshot, p.keep, p.retain
	o.SnapshotChunkBytes = p.chunk
	o.MaxTailBytes, o.MaxQueuedBytes, o.MaxInflight = p.tail, p.queued, p.inflight
	o.MaxCommandBytes = p.large + 100
	o.Seed += p.seed * 10
	o.SessionTimeout, o.MaxSessions = p.sessionTimeout, p.maxSessions
	if p.disks != nil {
		keepingly(o, p.disks)
	}
}

// process is one life of a member.
type process struct {
	*host.Host
	ledger *ledger
}

// randomRun is one seed at work.
type randomRun struct {
	*group
	*record
	plan   plan
	random *rand.Rand // the events'

	mu        sync.RWMutex // held to write while a member is replaced
	callers   sync.WaitGroup
	transfers sync.WaitGroup // begun by the events
	endless   sync.WaitGroup // callers whose contexts never end
}

func newRandomRun(g *group, p plan) *randomRun {
	return &randomRun{group: g, plan: p, record: newRecord(g.t), random: rand.New(rand.NewPCG(p.seed, 2))}
}

// run lets clients and faults go, heals everything, and judges.
func (r *randomRun) run() {
	for c := range r.plan.clients {
		r.callers.Go(func() { r.client(c, rand.New(rand.NewPCG(r.plan.seed, uint64(100+c)))) })
	}
	for c := range r.plan.sessionClients {
		r.callers.Go(func() { r.sessionClient(c, rand.New(rand.NewPCG(r.plan.seed, uint64(200+c)))) })
	}
	ended := make(chan struct{})
	go func() { r.callers.Wait(); close(ended) }()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-time.After(upTo(r.random, r.plan.pause)):
			r.event()
		}
	}
	r.healAll()
	r.transfers.Wait()
	r.judge()
	for _, m := range r.members {
		if err := m.Close(); err != nil {
			r.t.Errorf("closing member %d: %v", m.id, err)
		}
	}
	r.endless.Wait() // an error of synctest tells of one that stays
}

func upTo(r *rand.Rand, d time.Duration) time.Duration {
	return time.Millisecond + time.Duration(r.Int64N(int64(d)))
}

// process gives the present life of a member.
func (r *randomRun) process(i int) process {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return process{r.members[i].Host, r.members[i].ledger}
}

func (r *randomRun) client(c int, random *rand.Rand) {
	for n := range r.plan.each {
		time.Sleep(upTo(random, r.plan.think))
		on := r.process(random.IntN(len(r.members)))
		bound := 5 * time.Second
		if random.IntN(100) < r.plan.abandonPercent {
			bound = upTo(random, 200*time.Millisecond)
		}
		if random.IntN(100) < r.plan.readBarrierWeight {
			r.readBarrier(on, bound)
			continue
		}
		payload := fmt.Sprint(c, ".", n, " ")
		switch random.IntN(20) {
		case 0:
			payload += strings.Repeat("x", r.plan.large)
		case 1:
			payload += strings.Repeat("x", r.plan.large+100) // too large
		}
		if random.IntN(100) < r.plan.unboundedPercent {
			r.endless.Go(func() {
				r.propose(context.Background(), on, payload) //nolint:errcheck // it is in the record
			})
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		r.propose(ctx, on, payload) //nolint:errcheck // it is in the record
		cancel()
	}
}

func (r *randomRun) propose(ctx context.Context, on process, payload string) error {
	r.asked(payload)
	result, err := on.Propose(ctx, []byte(payload))
	r.proposed(payload, result.Value, err)
	return err
}

func (r *randomRun) readBarrier(on process, bound time.Duration) {
	before := r.acknowledgedSoFar()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	err := on.ReadBarrier(ctx)
	switch {
	case err == nil:
		r.mustHold("a member behind its read barrier", on.ledger.all(), before)
	case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, host.ErrClosed):
		r.t.Errorf("a read barrier gets %v", err)
	}
}

// event does something to the group. Healing is as frequent as all else that cuts, so
// that there is progress.
func (r *randomRun) event() {
	x, y := r.pickTwo()
	switch r.random.IntN(16) {
	case 0:
		r.board.Isolate(x.id)
	case 1:
		r.board.Cut(x.id, y.id)
	case 2, 3, 4:
		r.board.Heal()
	case 5:
		r.board.Break(x.id, y.id)
	case 6:
		r.loseSome()
	case 7:
		r.board.Hold(x.id, y.id)
	case 8:
		r.board.Release(x.id, y.id, 1+r.random.IntN(5))
	case 9, 10:
		r.board.Flow(x.id, y.id)
	case 11:
		x.log.Hold()
	case 12, 13:
		x.log.Release()
	case 14:
		r.transfer(x, y)
	case 15:
		r.restartSome(x, y)
	}
}

func (r *randomRun) pickTwo() (x, y *member) {
	order := r.random.Perm(len(r.members))
	return r.members[order[0]], r.members[order[1]]
}

func (r *randomRun) loseSome() {
	random, loss := rand.New(rand.NewPCG(r.random.Uint64(), 3)), r.plan.loss
	r.board.DropIf(func(protocol.Message) bool { return random.Float64() < loss })
}

func (r *randomRun) transfer(x, y *member) {
	h, to := x.Host, y.id
	if r.random.IntN(3) == 0 {
		to = 0
	}
	r.transfers.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		h.Transfer(ctx, to) //nolint:errcheck // it may fail for any fault
	})
}

// restartSome ends one member, or two at once, and starts them again.
func (r *randomRun) restartSome(x, y *member) {
	down := []*member{x}
	if r.random.IntN(3) == 0 {
		down = append(down, y)
	}
	for _, m := range down {
		r.stop(m, r.random.IntN(100) < r.plan.cleanStopPercent)
	}
	if r.random.IntN(2) == 0 {
		time.Sleep(upTo(r.random, 3*time.Second))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range down {
		r.start(m)
	}
}

// stop ends a process. When it is not clean, the log loses first what is not durable.
func (r *randomRun) stop(m *member, clean bool) {
	next := m.log
	if !clean {
		next = m.log.Reopen()
	}
	m.Close() //nolint:errcheck // its log may be gone
	if clean {
		next = m.log.Reopen()
	}
	m.log = next
}

func (r *randomRun) healAll() {
	r.board.Heal()
	for _, x := range r.members {
		x.log.Release()
		for _, y := range r.members {
			r.board.Flow(x.id, y.id)
		}
	}
}
