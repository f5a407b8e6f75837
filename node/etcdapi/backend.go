package etcdapi

import (
	"context"
	"hash/fnv"
	"net"

	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Backend is the member that a Server serves. All methods may be called by many
// goroutines at once.
type Backend interface {
	// Propose replicates a command of package kv, applies it and gives its result. The
	// errors are those of package host, or ctx's.
	Propose(ctx context.Context, payload []byte) (machine.Result, error)

	// ReadBarrier returns when a read of Store is linearizable. Calls that wait at
	// the same time should share one round. The errors are like Propose's.
	ReadBarrier(ctx context.Context) error

	// Store is the member's store. It may be another one after a restart in process.
	Store() *kv.Store

	// Term is the member's present term. It is asked for at each call: it must cost
	// no more than a load.
	Term() uint64

	// Status is the member's present status.
	Status() nodeapi.Status

	// Members gives the members of the cluster.
	Members() []Member

	// Membership is the configuration in effect. It must not be changed.
	Membership() protocol.Membership

	// ChangeMembership lets this member, which must lead, change the membership, and returns
	// when that is committed. The errors are those of host.Host.ChangeMembership.
	ChangeMembership(ctx context.Context, c membership.Change) error

	// DialMember connects to the client endpoint of another member, with TLS done where clients
	// use it.
	DialMember(ctx context.Context, id uint64) (net.Conn, error)

	// TransferLeadership hands leadership to the member and returns when that is done.
	TransferLeadership(ctx context.Context, to uint64) error
}

// Member is a member as clients see it.
type Member struct {
	ID         uint64
	Name       string
	PeerURLs   []string
	ClientURLs []string
	Learner    bool
}

// ClusterID gives the number that stands for a cluster's ID in the headers of
// answers: the 64-bit FNV-1a hash of the ID.
func ClusterID(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum64()
}
