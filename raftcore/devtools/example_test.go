package devtools_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/memcomms"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/transport"
)

// counter is a state machine that counts its commands.
type counter struct{ n uint64 }

func (c *counter) Apply(commands []machine.Command, results []machine.Result) error {
	for i := range commands {
		c.n++
		results[i].Value = c.n
	}
	return nil
}

func (c *counter) Snapshot() (machine.Snapshot, error) { return frozen(c.n), nil }

func (c *counter) Restore(_ protocol.EntryID, r io.Reader) error {
	_, err := fmt.Fscan(r, &c.n)
	return err
}

func (c *counter) Close() error { return nil }

type frozen uint64

func (f frozen) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprint(w, uint64(f))
	return int64(n), err
}

func (frozen) Close() error { return nil }

// group starts three real hosts in one process that send by the board. stop ends them.
func group(p *pauser.Pauser, board *memcomms.Switchboard) (hosts []*host.Host, stop func()) {
	members := protocol.Membership{Members: []protocol.Member{
		{ID: 1, Address: "1", Suffrage: protocol.Voter},
		{ID: 2, Address: "2", Suffrage: protocol.Voter},
		{ID: 3, Address: "3", Suffrage: protocol.Voter},
	}}
	for _, m := range members.Members {
		o := host.Options{
			ID: m.ID, Membership: members,
			Log: memlog.NewLog(), Votes: &memlog.Votes{}, Snapshots: &memlog.Snapshots{},
			Machine: &counter{}, Serializer: codec.Msgpack{},
			Connect: func(h transport.Handler) (transport.Comms, error) { return board.Connect(m.ID, h), nil },
		}
		p.Attach(&o)
		h, err := host.Start(o)
		if err != nil {
			panic(err)
		}
		hosts = append(hosts, h)
	}
	return hosts, func() {
		p.Close()
		for _, h := range hosts {
			h.Close()
		}
	}
}

// A group of real hosts in one process is stopped at the moment when the first member
// is about to tell that a command was applied. Everything stands still then, and one can see
// that a majority has the command on disk.
func Example_pauser() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var p pauser.Pauser
	hosts, stop := group(&p, memcomms.Watched(codec.Msgpack{}, p.Pass))
	defer stop()

	if _, err := hosts[0].Propose(ctx, []byte("first")); err != nil {
		fmt.Println(err)
		return
	}
	next := hosts[0].Applied() + 1
	p.StopWhen(pauser.AppliedReaches(pauser.Any, next))
	answer := make(chan any)
	go func() {
		r, _ := hosts[0].Propose(ctx, []byte("second"))
		answer <- r.Value
	}()
	if _, err := p.Wait(ctx); err != nil {
		fmt.Println(err)
		return
	}
	durable := 0
	for _, s := range p.Look() {
		if s.Stable >= next {
			durable++
		}
	}
	fmt.Println("on the disks of a majority:", durable >= 2)
	p.Continue()
	fmt.Println("answer:", <-answer)
	// Output:
	// on the disks of a majority: true
	// answer: 2
}

// Whatever is to happen to single messages is said by interceptors. Here member 3 cannot
// ask for votes, and never hears of an entry; every other message comes twice. The group
// serves all the same.
func Example_interceptors() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var p pauser.Pauser
	board := memcomms.Watched(codec.Msgpack{}, p.Pass)
	board.Intercept(memcomms.Interceptors{BeforeIn: func(m protocol.Message) []memcomms.Parcel {
		switch b := m.Body.(type) {
		case *protocol.AppendRequest:
			if m.To == 3 && len(b.Entries) > 0 {
				return nil
			}
		case *protocol.PreVoteRequest:
			if m.From == 3 {
				return nil
			}
		case *protocol.Forward:
			return memcomms.Pass(m) // twice would be two commands
		}
		return []memcomms.Parcel{{Message: m}, {Message: m}}
	}})
	hosts, stop := group(&p, board)
	defer stop()
	r, err := hosts[0].Propose(ctx, []byte("x"))
	fmt.Println("answer:", r.Value, err)
	fmt.Println("messages were lost:", board.Dropped() > 0)
	for _, s := range p.Look() {
		if s.Member == 3 {
			fmt.Println("member 3 has entries:", s.Last > 0)
		}
	}
	// Output:
	// answer: 1 <nil>
	// messages were lost: true
	// member 3 has entries: false
}

// The simulator takes the same conditions. Here the leader crashes right when it has
// learned that an entry is committed.
func Example_simulator() {
	c, err := sim.New(sim.Calm(1, 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	run := func(until pauser.Condition) pauser.Event {
		e, err := c.Run(until, 10*sim.Second)
		if err != nil {
			fmt.Println(err)
		}
		return e
	}
	old := run(pauser.Becomes(pauser.Any, replica.Leader))
	c.Propose(old.Member)
	run(pauser.CommitReaches(old.Member, 2))
	c.Crash(old.Member)
	next := run(pauser.Becomes(pauser.Any, replica.Leader))
	fmt.Println("another member leads:", next.Member != old.Member, "in a higher term:", next.Status.Term > old.Status.Term)
	fmt.Println("it has the entry:", next.Status.Last >= 2)
	// Output:
	// another member leads: true in a higher term: true
	// it has the entry: true
}
