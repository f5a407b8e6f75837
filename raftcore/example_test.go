package raftcore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/transport"
	"github.com/quorate/quorate/raftcore/transport/tcp"
	"github.com/quorate/quorate/raftcore/vfs"
)

// counter is a state machine: a command adds its number of bytes, and gives the sum.
type counter struct{ sum uint64 }

func (c *counter) Apply(commands []machine.Command, results []machine.Result) error {
	for i, command := range commands {
		c.sum += uint64(len(command.Payload))
		results[i].Value = c.sum
	}
	return nil
}

func (c *counter) Snapshot() (machine.Snapshot, error) {
	return machine.SnapshotOf(binary.AppendUvarint(nil, c.sum)), nil
}

func (c *counter) Restore(_ protocol.EntryID, r io.Reader) error {
	b, err := machine.ReadSnapshot(r)
	c.sum, _ = binary.Uvarint(b)
	return err
}

func (c *counter) Close() error { return nil }

// EncodeResult and DecodeResult make the counter a machine.ResultCodec: the group keeps the
// answers of client sessions.
func (c *counter) EncodeResult(r machine.Result) ([]byte, error) {
	return binary.AppendUvarint(nil, r.Value.(uint64)), nil
}

func (c *counter) DecodeResult(b []byte) (machine.Result, error) {
	sum, n := binary.Uvarint(b)
	if n <= 0 {
		return machine.Result{}, fmt.Errorf("%d bytes are no sum", len(b))
	}
	return machine.Result{Value: sum}, nil
}

// start runs one member, which keeps its log in dir and listens at l. The first time, dir
// is empty, and is made the member's for good.
func start(dir string, self protocol.MemberID, members protocol.Membership, l net.Listener) (*host.Host, error) {
	const cluster = "example"
	if _, err := filelog.ReadIdentity(vfs.OS{}, dir); errors.Is(err, filelog.ErrNotFormatted) {
		id := filelog.Identity{ClusterID: cluster, MemberID: self, Incarnation: protocol.Incarnation(time.Now().UnixNano()), Membership: members}
		if err := filelog.Format(vfs.OS{}, dir, id, filelog.Options{}); err != nil {
			return nil, err
		}
	}
	store, err := filelog.Open(vfs.OS{}, dir, filelog.Options{ClusterID: cluster, MemberID: self})
	if err != nil {
		return nil, err
	}
	return host.Start(host.Options{
		ID: self, Incarnation: store.Identity.Incarnation, Membership: store.Identity.Membership,
		Log: store.Log, Votes: store.Votes, Snapshots: store.Snapshots,
		Machine: new(counter), Serializer: codec.Msgpack{}, RecordIncarnations: true,
		Connect: func(h transport.Handler) (transport.Comms, error) {
			return tcp.New(tcp.Options{
				Self: self, ClusterID: cluster, Incarnation: store.Identity.Incarnation,
				Serializer: codec.Msgpack{}, Listener: l,
			}, h)
		},
	})
}

// cluster starts three members in one process. stop ends them and removes their files.
func cluster() (hosts []*host.Host, dir string, stop func(), err error) {
	if dir, err = os.MkdirTemp("", "raftcore"); err != nil {
		return nil, "", nil, err
	}
	hosts, err = startAll(dir)
	stop = func() {
		for _, h := range hosts {
			h.Close()
		}
		os.RemoveAll(dir) //nolint:errcheck // the files are temporary
	}
	if err != nil {
		stop()
	}
	return hosts, dir, stop, err
}

// startAll starts three members, each with files under dir and a TCP port of its own, as
// three processes would have them. With an error it gives those that were started.
func startAll(dir string) (hosts []*host.Host, err error) {
	var members protocol.Membership
	var listeners []net.Listener
	for id := protocol.MemberID(1); id <= 3; id++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, l)
		members.Members = append(members.Members, protocol.Member{ID: id, Address: l.Addr().String(), Suffrage: protocol.Voter})
	}
	for i, m := range members.Members {
		h, err := start(filepath.Join(dir, fmt.Sprint(m.ID)), m.ID, members, listeners[i])
		if err != nil {
			return hosts, err
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// A whole cluster: any member takes commands, and gives linearizable reads.
func Example() {
	hosts, _, stop, err := cluster()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	// Any member takes a command, and answers when it is committed and applied.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, h := range hosts {
		result, err := h.Propose(ctx, []byte("abc"))
		fmt.Println(result.Value, err)
	}
	// After a barrier a read of the member's own state machine is linearizable.
	fmt.Println(hosts[2].ReadBarrier(ctx))
	// Output:
	// 3 <nil>
	// 6 <nil>
	// 9 <nil>
	// <nil>
}

// In a session a command takes effect exactly once, however often and to whichever
// member its client sends it.
func Example_session() {
	hosts, _, stop, err := cluster()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	session, err := hosts[0].OpenSession(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := session.Propose(ctx, []byte("abc"))
	fmt.Println(result.Value, err)
	// The client did not hear the answer, and asks another member: the answer is the first one.
	result, err = hosts[1].ProposeInSession(ctx, session.Client(), 1, []byte("abc"))
	fmt.Println(result.Value, err)
	result, err = session.Propose(ctx, []byte("abc"))
	fmt.Println(result.Value, err)
	// Output:
	// 3 <nil>
	// 3 <nil>
	// 6 <nil>
}

// change asks one member after the other until the leader takes the change or tells why
// not.
func change(ctx context.Context, hosts []*host.Host, c membership.Change) (protocol.Membership, error) {
	for i := 0; ; i++ {
		m, err := hosts[i%len(hosts)].ChangeMembership(ctx, c)
		refused, _ := errors.AsType[*replica.ChangeRefused](err)
		if refused == nil || refused.Reason > replica.ChangeNotCommittedInTerm {
			return m, err
		}
	}
}

// A member joins as a learner, catches up, and takes the place of another one in a single
// step.
func Example_membership() {
	hosts, dir, stop, err := cluster()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := hosts[0].Propose(ctx, []byte("abc")); err != nil {
		fmt.Println(err)
		return
	}

	// A new member begins with the configuration that it is to join, and is not in it.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fourth, err := start(filepath.Join(dir, "4"), 4, hosts[0].Membership(), l)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fourth.Close()
	_, err = change(ctx, hosts, membership.Change{
		Add: []protocol.Member{{ID: 4, Address: l.Addr().String()}},
	})
	fmt.Println("added:", err)
	if err := fourth.ReadBarrier(ctx); err != nil { // it has what was committed
		fmt.Println(err)
		return
	}
	// It takes the place of a member that does not lead.
	leaving := hosts[0].State().Leader%3 + 1
	after, err := change(ctx, hosts, membership.Change{
		Promote: []protocol.MemberID{4}, Remove: []protocol.MemberID{leaving},
	})
	fmt.Println("replaced:", err)
	fmt.Println(len(after.Voters()), "voters; a fourth member that votes:", slices.Contains(after.Voters(), 4))
	// Output:
	// added: <nil>
	// replaced: <nil>
	// 3 voters; a fourth member that votes: true
}
