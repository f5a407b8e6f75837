package replica_test

import (
	"fmt"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// BenchmarkStep lets three replicas replicate batches in memory: one operation is a
// batch proposed, written by all, committed and applied. Disks and network cost
// nothing, so this is what Step itself costs.
func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			p := newPingPong(b)
			payloads := make([][]byte, batch)
			for i := range payloads {
				payloads[i] = make([]byte, 128)
			}
			propose := replica.Input(replica.Propose{Kind: protocol.EntryCommand, Payloads: payloads})
			b.ReportAllocs()
			for b.Loop() {
				p.applied = 0
				p.step(p.leader, propose)
				p.run()
				if p.applied != batch {
					b.Fatalf("%d of %d applied", p.applied, batch)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/proposal")
		})
	}
}

// TestStepAllocatesFewTimesPerBatch guards what BenchmarkStep shows: for one batch on
// three replicas a Persist each, two requests and two answers, and the inputs that the
// test itself makes.
func TestStepAllocatesFewTimesPerBatch(t *testing.T) {
	p := newPingPong(t)
	payloads := make([][]byte, 64)
	propose := replica.Input(replica.Propose{Kind: protocol.EntryCommand, Payloads: payloads})
	n := testing.AllocsPerRun(1000, func() {
		p.step(p.leader, propose)
		p.run()
	})
	if n > 16 {
		t.Errorf("%v allocations for a batch", n)
	}
}

// pingPong is a cluster with the fastest possible disks and network.
type pingPong struct {
	tb      testing.TB
	members []*replica.Replica
	leader  int
	queue   []protocol.Message
	spare   []protocol.Message
	applied int // by the leader
}

func newPingPong(tb testing.TB) *pingPong {
	p := &pingPong{tb: tb}
	w := newWorld(3, 0)
	for i := range 3 {
		cfg := validConfig()
		cfg.ID, cfg.Seed, cfg.MaxTailBytes = protocol.MemberID(i+1), uint64(i), 1<<20
		r, err := replica.New(cfg, replica.Restore{Membership: w.initial})
		if err != nil {
			tb.Fatal(err)
		}
		p.members = append(p.members, r)
	}
	for range 20 {
		p.step(0, replica.Tick{})
		p.run()
	}
	if p.members[0].Status().Role != replica.Leader {
		tb.Fatal("no leader")
	}
	return p
}

func (p *pingPong) step(i int, in replica.Input) {
	fx := p.members[i].Step(in)
	if fx.Violation != nil {
		p.tb.Fatal(fx.Violation)
	}
	p.queue = append(append(p.queue, fx.Send...), fx.SendAfterPersist...)
	if i == p.leader {
		p.applied += len(fx.Apply)
	}
	applied := protocol.Index(0)
	if n := len(fx.Apply); n > 0 {
		applied = fx.Apply[n-1].Index
	}
	if fx.Persist != nil {
		p.step(i, replica.Persisted{Seq: fx.Persist.Seq})
	}
	if applied != 0 {
		p.step(i, replica.Applied{Index: applied})
	}
}

func (p *pingPong) run() {
	for len(p.queue) > 0 {
		p.queue, p.spare = p.spare[:0], p.queue
		for _, m := range p.spare {
			p.step(int(m.To)-1, replica.Receive{Message: m})
		}
	}
}
