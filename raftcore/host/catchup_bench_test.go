package host_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/memcomms"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/transport"
)

// BenchmarkCatchUp lets a follower with an empty disk join in while 16 clients propose all
// the time; its snapshot has 64 MiB. Comms and disks are in memory. Reported are the seconds until
// it has what was committed when it joined, and the commands a second meanwhile.
func BenchmarkCatchUp(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		r := newRace(b)
		r.begin(2)
		r.load(16)
		for r.members[0].log.State().Base.Index < 50_000 {
			time.Sleep(time.Millisecond) // the real clock's, and no test
		}
		before, goal := len(r.ledgers[0].all()), r.hosts[0].Applied()
		begun := time.Now()
		b.StartTimer()
		r.begin(1)
		for r.hosts[2].Applied() < goal {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		took := time.Since(begun).Seconds()
		b.ReportMetric(took, "s/catch-up")
		b.ReportMetric(float64(len(r.ledgers[0].all())-before)/took, "commands/s")
		r.end()
		b.StartTimer()
	}
}

// race is three members on the real clock.
type race struct {
	*testing.B
	bulky
	board   *memcomms.Switchboard
	members []*member
	hosts   []*host.Host
	ledgers []*ledger
	stop    chan struct{}
	clients sync.WaitGroup
}

func newRace(b *testing.B) *race {
	r := &race{B: b, bulky: bulky{size: 64 << 20}, board: memcomms.New(codec.Msgpack{}), stop: make(chan struct{})}
	for i := range 3 {
		r.members = append(r.members, &member{id: protocol.MemberID(i + 1), log: memlog.NewLog(), votes: &memlog.Votes{}, snapshots: &memlog.Snapshots{}})
	}
	return r
}

// begin starts the next n members.
func (r *race) begin(n int) {
	var all protocol.Membership
	for _, m := range r.members {
		all.Members = append(all.Members, protocol.Member{ID: m.id, Address: fmt.Sprint(m.id), Suffrage: protocol.Voter})
	}
	for range n {
		m, l := r.members[len(r.hosts)], &ledger{}
		o := host.Options{
			ID: m.id, Incarnation: protocol.Incarnation(m.id), Membership: all, Log: m.log, Votes: m.votes, Snapshots: m.snapshots,
			Machine: l, Serializer: codec.Msgpack{}, Logger: logr.Discard(),
			Connect: func(h transport.Handler) (transport.Comms, error) { return r.board.Connect(m.id, h), nil },
		}
		r.change(&o)
		o.SnapshotEntries, o.KeepEntries, o.MaxRetainedEntries, o.SnapshotChunkBytes = 20_000, 1000, 0, 0
		h, err := host.Start(o)
		if err != nil {
			r.Fatal(err)
		}
		r.hosts, r.ledgers = append(r.hosts, h), append(r.ledgers, l)
	}
	for r.leader() == 0 {
		time.Sleep(time.Millisecond)
	}
}

// leader gives the member that leads, 0 when nobody does.
func (r *race) leader() protocol.MemberID {
	for i, h := range r.hosts {
		if h.State().Role == replica.Leader {
			return protocol.MemberID(i + 1)
		}
	}
	return 0
}

func (r *race) load(clients int) {
	for range clients {
		r.clients.Go(func() {
			for {
				select {
				case <-r.stop:
					return
				default:
					if _, err := r.hosts[0].Propose(context.Background(), []byte("a command")); err != nil {
						r.Error(err)
						return
					}
				}
			}
		})
	}
}

func (r *race) end() {
	close(r.stop)
	r.clients.Wait()
	for _, h := range r.hosts {
		h.Close() //nolint:errcheck // the benchmark is over
	}
}
