package etcddiff

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/status"

	"github.com/quorate/quorate/node/etcdapi"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// roll is a membership without a log. None of those that were added is ever started.
type roll struct {
	lock  *sync.Mutex
	state *protocol.Membership
}

func newRoll(peer string) roll {
	return roll{&sync.Mutex{}, &protocol.Membership{Members: []protocol.Member{{ID: 1, Address: peer, Suffrage: protocol.Voter}}}}
}

func (r roll) Membership() protocol.Membership {
	r.lock.Lock()
	defer r.lock.Unlock()
	return *r.state
}

func (r roll) ChangeMembership(_ context.Context, c membership.Change) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	next, err := membership.Next(*r.state, c)
	if err != nil {
		return &replica.ChangeRefused{Reason: replica.ChangeInvalid, Cause: err}
	}
	if len(c.Promote) > 0 {
		return &replica.ChangeRefused{Reason: replica.ChangeLearnerBehind}
	}
	*r.state = next
	return nil
}

func (r roll) Members() (all []etcdapi.Member) {
	for _, x := range r.Membership().Members {
		all = append(all, etcdapi.Member{ID: uint64(x.ID), PeerURLs: []string{"http://" + x.Address}, Learner: x.Suffrage == protocol.Learner})
	}
	return all
}

func (r roll) DialMember(context.Context, uint64) (net.Conn, error) {
	return nil, errors.New("nobody else runs")
}

// side is etcd, or we.
type side struct {
	cluster     pb.ClusterClient
	maintenance pb.MaintenanceClient
	ids         []uint64 // of members that were ever there, in the order in which they came
}

// outcome is what both sides must have in common: IDs and names are their own.
type outcome struct {
	Code, Message string
	Members       []string
}

func outcomeOf(members []*pb.Member, err error) outcome {
	s := status.Convert(err)
	o := outcome{Code: s.Code().String(), Message: s.Message()}
	for _, m := range members {
		o.Members = append(o.Members, fmt.Sprint(m.PeerURLs, m.IsLearner))
	}
	slices.Sort(o.Members)
	return o
}

// memberCall draws a request and gives what sends it to a side. A voter is never asked for:
// etcd adds one at once, we add a learner in its place. A URL is that of the founder or fresh:
// etcd makes the ID of it and of the second, and an ID is used only once. The founder keeps its.
func memberCall(r *rand.Rand, founder string, n int) (name string, send func(context.Context, *side) outcome) {
	who, url := r.IntN(6), fmt.Sprint("http://127.0.0.1:", 1+n)
	kind := r.IntN(6)
	if r.IntN(4) == 0 || kind == 4 && who == 0 {
		url = founder
	}
	id := func(s *side) uint64 {
		if who < len(s.ids) {
			return s.ids[who]
		}
		return 99
	}
	switch kind {
	case 0, 1:
		return "add " + url, func(ctx context.Context, s *side) outcome {
			a, err := s.cluster.MemberAdd(ctx, &pb.MemberAddRequest{PeerURLs: []string{url}, IsLearner: true})
			if err != nil {
				return outcomeOf(nil, err)
			}
			s.ids = append(s.ids, a.Member.ID)
			return outcomeOf(append(a.Members, a.Member), nil)
		}
	case 2:
		return fmt.Sprint("remove ", who), func(ctx context.Context, s *side) outcome {
			a, err := s.cluster.MemberRemove(ctx, &pb.MemberRemoveRequest{ID: id(s)})
			return outcomeOf(a.GetMembers(), err)
		}
	case 3:
		return fmt.Sprint("promote ", who), func(ctx context.Context, s *side) outcome {
			a, err := s.cluster.MemberPromote(ctx, &pb.MemberPromoteRequest{ID: id(s)})
			return outcomeOf(a.GetMembers(), err)
		}
	case 4:
		return fmt.Sprint("update ", who, " to ", url), func(ctx context.Context, s *side) outcome {
			a, err := s.cluster.MemberUpdate(ctx, &pb.MemberUpdateRequest{ID: id(s), PeerURLs: []string{url}})
			return outcomeOf(a.GetMembers(), err)
		}
	}
	return fmt.Sprint("move leadership to ", who), func(ctx context.Context, s *side) outcome {
		_, err := s.maintenance.MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: id(s)})
		return outcomeOf(nil, err)
	}
}

func TestSameMembersAsEtcd(t *testing.T) {
	const calls = 300
	theirs, peer := startEtcd(t)
	address, _ := startOurs(t, peer)
	var sides []*side
	for _, a := range []string{theirs, address} {
		conn := dial(t, a)
		s := &side{cluster: pb.NewClusterClient(conn), maintenance: pb.NewMaintenanceClient(conn)}
		list, err := s.cluster.MemberList(t.Context(), &pb.MemberListRequest{Linearizable: true})
		if err != nil || len(list.Members) != 1 {
			t.Fatalf("%s begins with %v, %v", a, list, err)
		}
		s.ids = []uint64{list.Members[0].ID}
		sides = append(sides, s)
	}
	r := rand.New(rand.NewPCG(*seedFlag, 2))
	kinds := map[string]int{}
	for i := 0; i < calls && !t.Failed(); i++ {
		name, send := memberCall(r, "http://"+peer, i)
		want, got := send(t.Context(), sides[0]), send(t.Context(), sides[1])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d, call %d: %s (-etcd +ours):\n%s", *seedFlag, i, name, diff)
		}
		kinds[want.Message]++
		if len(sides[0].ids) > 4 { // forget the oldest of those that were removed
			for _, s := range sides {
				s.ids = slices.Delete(s.ids, 1, 2)
			}
		}
	}
	t.Logf("compared %d calls: %v", calls, kinds)
}
