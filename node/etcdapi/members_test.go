package etcdapi_test

import (
	"context"
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/quorate/quorate/node/etcdapi"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

const fourURL = "http://localhost:2680"

func TestMembersChange(t *testing.T) {
	c, b := connect(t)
	ctx := within(t)
	added, err := c.MemberAdd(ctx, []string{fourURL}) // a voter is asked for
	if err != nil {
		t.Fatal(err)
	}
	if m := added.Member; m.ID != 4 || !m.IsLearner || m.PeerURLs[0] != fourURL || len(added.Members) != 4 {
		t.Errorf("added %v to %v", m, added.Members)
	}
	promoted, err := c.MemberPromote(ctx, 4)
	if err != nil || len(promoted.Members) != 4 || promoted.Members[3].IsLearner {
		t.Errorf("promoted to %v, %v", promoted, err)
	}
	if _, err := c.MemberUpdate(ctx, 2, []string{"https://elsewhere:1"}); err != nil {
		t.Error(err)
	}
	if x, _ := b.Membership().Find(2); x.Address != "elsewhere:1" || x.Name != "two" {
		t.Errorf("updated to %+v", x)
	}
	removed, err := c.MemberRemove(ctx, 4)
	if err != nil || len(removed.Members) != 3 {
		t.Errorf("removed, left are %v, %v", removed, err)
	}
	again, err := c.MemberAdd(ctx, []string{fourURL})
	if err != nil || again.Member.ID != 5 {
		t.Errorf("after a removal %v, %v", again, err)
	}
	if again.Header.Revision != 0 || again.Header.MemberId != 1 || again.Header.RaftTerm != 3 {
		t.Errorf("the header is %v", again.Header)
	}
}

// The errors are etcd's own, which its clients compare.
func TestMembersErrors(t *testing.T) {
	refused := func(why replica.ChangeReason) error { return &replica.ChangeRefused{Reason: why, Text: "for a reason"} }
	add := func(urls ...string) func(context.Context, *clientv3.Client) error {
		return func(ctx context.Context, c *clientv3.Client) error { _, err := c.MemberAdd(ctx, urls); return err }
	}
	learner := func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.MemberAddAsLearner(ctx, []string{fourURL})
		return err
	}
	remove := func(id uint64) func(context.Context, *clientv3.Client) error {
		return func(ctx context.Context, c *clientv3.Client) error { _, err := c.MemberRemove(ctx, id); return err }
	}
	promote := func(id uint64) func(context.Context, *clientv3.Client) error {
		return func(ctx context.Context, c *clientv3.Client) error { _, err := c.MemberPromote(ctx, id); return err }
	}
	update := func(id uint64, urls ...string) func(context.Context, *clientv3.Client) error {
		return func(ctx context.Context, c *clientv3.Client) error {
			_, err := c.MemberUpdate(ctx, id, urls)
			return err
		}
	}
	for _, x := range []struct {
		name     string
		call     func(context.Context, *clientv3.Client) error
		refusals []error
		want     error
	}{
		{"URL in use", add("http://localhost:2480"), nil, rpctypes.ErrPeerURLExist},
		{"a second learner", learner, nil, rpctypes.ErrTooManyLearners},
		{"remove a stranger", remove(9), nil, rpctypes.ErrMemberNotFound},
		{"promote a stranger", promote(9), nil, rpctypes.ErrMemberNotFound},
		{"promote a voter", promote(2), nil, rpctypes.ErrMemberNotLearner},
		{"promote one that is behind", promote(3), []error{refused(replica.ChangeLearnerBehind)}, rpctypes.ErrMemberLearnerNotReady},
		{"no quorum would be left", remove(2), []error{refused(replica.ChangeWouldLoseQuorum)}, rpctypes.ErrUnhealthy},
		{"the leader was deposed", remove(2), []error{host.ErrChangeLost}, rpctypes.ErrLeaderChanged},
		{"nobody leads", remove(2), []error{refused(replica.ChangeNotLeader)}, rpctypes.ErrNoLeader},
		{"update a stranger", update(9, fourURL), nil, rpctypes.ErrMemberNotFound},
		{"update to a URL in use", update(2, "http://localhost:2380"), nil, rpctypes.ErrPeerURLExist},
		{"after a while", remove(2), []error{refused(replica.ChangeInFlight), refused(replica.ChangeNotCommittedInTerm), refused(replica.ChangeTransferring)}, nil},
		{"update to its own URL", update(2, "http://localhost:2480"), nil, nil},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, b := connect(t)
			b.refusals = x.refusals
			if err := x.call(within(t), c); !errors.Is(err, x.want) {
				t.Errorf("error %v, want %v", err, x.want)
			}
		})
	}
}

// clientv3 looks at URLs itself.
func TestPeerURLs(t *testing.T) {
	conn, _ := raw(t)
	cluster := pb.NewClusterClient(conn)
	for _, urls := range [][]string{nil, {""}, {"http://h"}, {"ftp://h:1"}, {"http://h:1/p"}, {"http://:1"}, {"h:1"}, {"http://h:1", "x"}} {
		_, add := cluster.MemberAdd(within(t), &pb.MemberAddRequest{PeerURLs: urls})
		_, update := cluster.MemberUpdate(within(t), &pb.MemberUpdateRequest{ID: 2, PeerURLs: urls})
		for _, err := range []error{add, update} {
			if s := status.Convert(err); s.Code() != codes.InvalidArgument || s.Message() != "etcdserver: given member URLs are invalid" {
				t.Errorf("peer URLs %q give %v", urls, err)
			}
		}
	}
	_, err := cluster.MemberAdd(within(t), &pb.MemberAddRequest{PeerURLs: []string{"http://h:1", "http://h:2"}})
	if s := status.Convert(err); s.Code() != codes.InvalidArgument || s.Message() != "quorate: a member has one peer URL, give just one" {
		t.Errorf("two peer URLs give %v", err)
	}
}

func TestTheLastVoterStays(t *testing.T) {
	c, b := connect(t)
	b.members = protocol.Membership{Members: []protocol.Member{{ID: 1, Address: "localhost:2380", Suffrage: protocol.Voter}}}
	if _, err := c.MemberRemove(within(t), 1); !errors.Is(err, rpctypes.ErrMemberNotEnoughStarted) {
		t.Errorf("removing it gives %v", err)
	}
}

// A member that does not lead hands a change on to the one that does.
func TestMembersChangeThroughAFollower(t *testing.T) {
	_, leader := connect(t)
	at := serve(t, etcdapi.Options{Backend: leader})
	c, follower := connect(t)
	follower.others, follower.leader = map[uint64]string{2: at}, 2
	if _, err := c.MemberAdd(within(t), []string{fourURL}); err != nil {
		t.Fatal(err)
	}
	if _, ok := leader.Membership().Find(4); !ok || len(follower.Membership().Members) != 3 {
		t.Errorf("the leader has %v, the follower %v", leader.Membership(), follower.Membership())
	}
	if _, err := c.MemberRemove(within(t), 9); !errors.Is(err, rpctypes.ErrMemberNotFound) {
		t.Errorf("the leader's error comes as %v", err)
	}
	leader.follow(2)
	leader.others = map[uint64]string{2: at}
	if _, err := c.MemberRemove(within(t), 2); !errors.Is(err, rpctypes.ErrNotLeader) {
		t.Errorf("two who do not lead give %v", err)
	}
	follower.follow(3)
	if _, err := c.MemberRemove(within(t), 2); status.Code(err) != codes.Unavailable {
		t.Errorf("a leader that cannot be reached gives %v", err)
	}
}

// Where the operator decides, clients cannot change what it does not know of.
func TestMembersByOperator(t *testing.T) {
	b := newSingle(t)
	c := dial(t, serve(t, etcdapi.Options{Backend: b, MembersByOperator: true}))
	ctx := within(t)
	_, add := c.MemberAdd(ctx, []string{fourURL})
	_, remove := c.MemberRemove(ctx, 2)
	_, promote := c.MemberPromote(ctx, 3)
	_, update := c.MemberUpdate(ctx, 2, []string{fourURL})
	for _, err := range []error{add, remove, promote, update} {
		if status.Code(err) != codes.PermissionDenied || status.Convert(err).Message() != "quorate: the operator decides who is a member of this cluster: change spec.replicas of its RaftCluster instead" {
			t.Errorf("a change gives %v", err)
		}
	}
	if r, err := c.MemberList(ctx); err != nil || len(r.Members) != 3 {
		t.Errorf("the list is %v, %v", r, err)
	}
}
