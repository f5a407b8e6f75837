package replica

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Config is what a replica is told once.
type Config struct {
	ID          protocol.MemberID
	Incarnation protocol.Incarnation
	Boot        protocol.Boot
	Seed        uint64 // of the election timeouts

	ElectionTicks  int // an election timeout is drawn from [ElectionTicks, 2*ElectionTicks)
	HeartbeatTicks int // less than ElectionTicks

	MaxMessageBytes     int // of entries in one AppendRequest, by Entry.Size; at least one entry is sent
	MaxInflight         int // AppendRequests with entries that a follower may have unanswered
	MaxInflightBytes    int // of entries in those; 0: no bound
	MaxUncommittedBytes int // not committed, durable and applied at the leader: beyond it a leader refuses proposals
	MaxApplyBytes       int // handed out to be applied and not told to be; 0: no bound
	MaxTailBytes        int // entries kept in memory beside those that must be
	MaxPromotionLag     int // committed entries that a learner may lack when it is promoted, and who follows an unfit leader

	Memberships MembershipCodec

	// LeaseTicks is how long a leader answers reads without asking, after it began to ask a
	// quorum that has answered (see lease); 0: never. LeasePromise makes a member one that a
	// leader with leases may rely on: no leader may have leases before all members have it.
	LeaseTicks   int
	LeasePromise bool

	Serial bool // at most one client command of the group is in flight; the same on all members

	Mutation mutation.Set // deliberate bugs, for tests of the tests only
}

// Restore is what survived on disk.
type Restore struct {
	Hard         protocol.HardState
	Log          protocol.LogState
	Applied      protocol.EntryID    // at least Log.Base; what the state machine has
	Membership   protocol.Membership // the initial one, or a snapshot's
	MembershipAt protocol.Index      // what Membership is as of: the snapshot's last entry; 0: the initial one
}

// Validate tells what is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(c.ID != 0, "ID must not be 0")
	need(c.HeartbeatTicks >= 1, "HeartbeatTicks is %d, must be at least 1", c.HeartbeatTicks)
	need(c.ElectionTicks > c.HeartbeatTicks, "ElectionTicks is %d, must be more than HeartbeatTicks, %d", c.ElectionTicks, c.HeartbeatTicks)
	need(c.MaxMessageBytes >= 1, "MaxMessageBytes is %d, must be at least 1", c.MaxMessageBytes)
	need(c.MaxInflight >= 1, "MaxInflight is %d, must be at least 1", c.MaxInflight)
	need(c.MaxUncommittedBytes >= 1, "MaxUncommittedBytes is %d, must be at least 1", c.MaxUncommittedBytes)
	need(c.MaxInflightBytes >= 0, "MaxInflightBytes is %d, must not be negative", c.MaxInflightBytes)
	need(c.MaxApplyBytes >= 0, "MaxApplyBytes is %d, must not be negative", c.MaxApplyBytes)
	need(c.LeaseTicks >= 0 && c.LeaseTicks < max(c.ElectionTicks, 1), "LeaseTicks is %d, must be less than ElectionTicks, %d", c.LeaseTicks, c.ElectionTicks)
	need(c.MaxPromotionLag >= 0, "MaxPromotionLag is %d, must not be negative", c.MaxPromotionLag)
	need(c.Memberships != nil, "Memberships is not set")
	need(c.MaxTailBytes >= 0, "MaxTailBytes is %d, must not be negative", c.MaxTailBytes)
	return errors.Join(errs...)
}
