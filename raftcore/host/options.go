package host

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/transport"
)

// Reporter takes faults; *fault.Sink is one.
type Reporter interface {
	// Report takes a fault that the member cannot go on with.
	Report(*fault.Fault)
	// Note takes a fault that the member lives with. It must not block.
	Note(*fault.Fault)
	// Recovered tells that what was noted of a kind is over. It must not block.
	Recovered(k fault.Kind, at time.Time)
}

// Options is what a Host is made of. Fields without a default must be set.
type Options struct {
	ID          protocol.MemberID
	Incarnation protocol.Incarnation
	Membership  protocol.Membership // the initial one; what log and snapshots tell goes before it

	Log        storage.Log
	Votes      storage.Votes
	Snapshots  storage.Snapshots
	Machine    machine.StateMachine
	Serializer codec.Serializer // of commands; the comms and the log have their own

	// Connect sets up the comms with the handler that takes what arrives.
	Connect func(transport.Handler) (transport.Comms, error)

	ElectionTimeout   time.Duration // default 1 s; the timeout is drawn from [1, 2) of it
	HeartbeatInterval time.Duration // default 100 ms
	Seed              uint64        // of election timeouts; default: drawn at random

	SnapshotEntries uint64 // entries between two snapshots; default 100,000
	KeepEntries     uint64 // entries that a compaction keeps for laggards; default 10,000
	// MaxRetainedEntries is how many more a compaction keeps at most for followers that are
	// being fed, by a snapshot or after it; default 1,000,000.
	MaxRetainedEntries uint64
	SnapshotChunkBytes int // of a snapshot in one message; default 512 KiB

	MaxCommandBytes  int // default 4 MiB
	MaxMessageBytes  int // of entries in one message; default 1 MiB
	MaxInflight      int // unanswered messages with entries for each follower; default 2
	MaxInflightBytes int // of entries in them; default 4 MiB
	// MaxQueuedBytes bounds the commands that clients of this member wait for, and, of a leader,
	// the group's entries that are not committed, durable and applied here; default 64 MiB.
	MaxQueuedBytes  int
	MaxApplyBytes   int // of committed entries handed to the state machine and not applied; default 32 MiB
	MaxTailBytes    int // of entries kept in memory for laggards; default 16 MiB
	MaxPromotionLag int // committed entries that a learner may lack when it is promoted; default 1,000

	// LeaseReads lets a leader answer reads without asking a quorum, for as long as no other can
	// have been elected. That rests on clocks: no member's clock may be faster or slower by
	// more than MaxClockDrift percent (default 10) than time goes, and none may stand still
	// while its process is to run again, as that of a machine which is suspended and
	// resumed does. Where that is not sure leave it off: reads by rounds need no clock.
	// ElectionTimeout must be the same on all members then: a lease is measured by the leader's, the
	// promise by each follower's own. To change it in a running group, switch LeaseReads off
	// everywhere first.
	//
	// LeasePromise makes a member one that leaders with leases may rely on: it helps elect no other
	// within an election timeout after it heard its leader, or was started. All members must
	// have it before one has LeaseReads, which implies it. It costs up to an election timeout
	// when a leader's process is killed.
	LeaseReads, LeasePromise bool
	MaxClockDrift            int

	// A disk that finishes nothing for DiskHungAfter (default 3/4 of ElectionTimeout) though it
	// was asked to hangs: the member must not lead, and hands over or resigns within an
	// election timeout. One whose writes mostly take longer than DiskSlowWrite (default 1/4 of
	// ElectionTimeout) for DiskWindow (default 10 times ElectionTimeout) is slow: the member hands
	// over if another voter is well. It is trusted again after DiskQuiet (default 30 times
	// ElectionTimeout). For slowness it steps aside at most MaxStepAsides times (default 3) in
	// StepAsidePeriod (default 600 times ElectionTimeout), then it stays.
	DiskHungAfter, DiskSlowWrite, DiskWindow, DiskQuiet time.Duration
	MaxStepAsides                                       int
	StepAsidePeriod                                     time.Duration

	// Serial lets the group have at most one client command in flight; others are refused with
	// ErrInFlight. It must be the same on all members.
	Serial bool

	// SpaceInterval is how often a Log that is a storage.Space is asked how full its disk
	// is: default 1 s.
	SpaceInterval time.Duration
	// RepairPatience is how long a damaged entry is asked for that no other member has, before
	// it is an unrecoverable fault: default 10 min. While a member does not answer, it may
	// have it, and the fault does not come.
	RepairPatience time.Duration

	// RecordIncarnations lets a leader change the membership by itself, once for each member:
	// it records the Incarnation of the volume that it heard under the member's ID. From then
	// on another volume under that ID, as after a disk was wiped, neither votes nor goes on:
	// it gets the fault VolumeLost. Other changes may be refused meanwhile, as by any change.
	RecordIncarnations bool

	SessionTimeout time.Duration // of sessions opened here: idle for so long they expire; default 1 min
	MaxSessions    int           // when one more is opened here, the least recently used one expires; default 4096
	MaxAnswerBytes int           // of an answer kept for a session opened here; default 16 KiB

	Faults          Reporter              // default: none
	OnUnrecoverable fault.OnUnrecoverable // default: Hold
	OnStateChange   func(State)           // called from the loop; must not block
	Observer        Observer              // default: none; of tests
	Logger          logr.Logger

	Mutation mutation.Set // deliberate bugs, for tests of the tests
}

// Observer sees what a member does, for tests and traces. Its methods may wait: then the
// member waits too.
type Observer interface {
	// BeforeStep is told of an input that is about to be stepped. Like AfterStep it is called
	// from the loop: while it waits, Status does not answer.
	BeforeStep(replica.Input)
	// AfterStep is told what came of the input, before any of it is done. The effects
	// are valid during the call, and must not be changed.
	AfterStep(replica.Input, *replica.Effects, replica.Status)
	// Applied is told that the state machine has applied all entries up to one, before anybody
	// is told of their results.
	Applied(protocol.EntryID)
	// Closed is told of the end, when nothing of the member runs any more.
	Closed()
}

// State is the present role, term and leader.
type State struct {
	Role   replica.Role
	Term   protocol.Term
	Leader protocol.MemberID // 0: unknown

	Removed bool // by a committed change of the membership: this member takes part in nothing any more
}

// ticksPerHeartbeat makes the resolution of election timeouts a fifth of the
// heartbeat interval, so that random timeouts seldom collide.
const ticksPerHeartbeat = 5

func (o *Options) setDefaults() {
	def(&o.ElectionTimeout, time.Second)
	def(&o.HeartbeatInterval, 100*time.Millisecond)
	def(&o.SnapshotEntries, 100_000)
	def(&o.KeepEntries, 10_000)
	def(&o.MaxRetainedEntries, 1_000_000)
	def(&o.SnapshotChunkBytes, 512<<10)
	def(&o.MaxCommandBytes, 4<<20)
	def(&o.MaxMessageBytes, 1<<20)
	def(&o.MaxInflight, 2)
	def(&o.MaxInflightBytes, 4<<20)
	def(&o.MaxQueuedBytes, 64<<20)
	def(&o.MaxApplyBytes, 32<<20)
	def(&o.MaxTailBytes, 16<<20)
	def(&o.MaxClockDrift, 10)
	def(&o.DiskHungAfter, o.ElectionTimeout*3/4)
	def(&o.DiskSlowWrite, o.ElectionTimeout/4)
	def(&o.DiskWindow, 10*o.ElectionTimeout)
	def(&o.DiskQuiet, 30*o.ElectionTimeout)
	def(&o.MaxStepAsides, 3)
	def(&o.StepAsidePeriod, 600*o.ElectionTimeout)
	def(&o.SpaceInterval, time.Second)
	def(&o.RepairPatience, 10*time.Minute)
	def(&o.SessionTimeout, time.Minute)
	def(&o.MaxSessions, 4096)
	def(&o.MaxAnswerBytes, 16<<10)
	def(&o.MaxPromotionLag, 1000)
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// maxPiece bounds what must be in memory or in a message as a whole.
const maxPiece = 32 << 20

func (o *Options) validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	need(o.Log != nil, "Log is not set")
	need(o.Votes != nil, "Votes is not set")
	need(o.Snapshots != nil, "Snapshots is not set")
	need(o.Machine != nil, "Machine is not set")
	need(o.Serializer != nil && o.Serializer.Binary(), "Serializer is not set or does not make bytes")
	need(o.Connect != nil, "Connect is not set")
	need(o.HeartbeatInterval >= ticksPerHeartbeat*time.Millisecond,
		fmt.Sprintf("HeartbeatInterval is %v, must be at least %v", o.HeartbeatInterval, ticksPerHeartbeat*time.Millisecond))
	need(o.ElectionTimeout > o.HeartbeatInterval,
		fmt.Sprintf("ElectionTimeout is %v, must be longer than HeartbeatInterval, %v", o.ElectionTimeout, o.HeartbeatInterval))
	need(o.SessionTimeout >= o.ElectionTimeout, fmt.Sprintf("SessionTimeout is %v, must be at least ElectionTimeout, %v", o.SessionTimeout, o.ElectionTimeout))
	need(o.MaxSessions > 0, fmt.Sprintf("MaxSessions is %d, must be above 0", o.MaxSessions))
	need(o.MaxAnswerBytes > 0 && o.MaxAnswerBytes <= maxPiece, fmt.Sprintf("MaxAnswerBytes is %d, must be above 0 and at most %d", o.MaxAnswerBytes, maxPiece))
	need(o.SnapshotChunkBytes > 0 && o.SnapshotChunkBytes <= maxPiece, fmt.Sprintf("SnapshotChunkBytes is %d, must be above 0 and at most %d", o.SnapshotChunkBytes, maxPiece))
	need(min(o.DiskHungAfter, o.DiskSlowWrite, o.DiskWindow, o.DiskQuiet, o.StepAsidePeriod) > 0 && o.MaxStepAsides > 0,
		fmt.Sprintf("DiskHungAfter is %v, DiskSlowWrite %v, DiskWindow %v, DiskQuiet %v, StepAsidePeriod %v, MaxStepAsides %d: all must be above 0",
			o.DiskHungAfter, o.DiskSlowWrite, o.DiskWindow, o.DiskQuiet, o.StepAsidePeriod, o.MaxStepAsides))
	need(o.MaxClockDrift >= 0 && o.MaxClockDrift < 100 && (!o.LeaseReads || o.leaseTicks() > 2*ticksPerHeartbeat),
		fmt.Sprintf("MaxClockDrift is %d percent, which leaves %d ticks of a lease: it must be longer than two heartbeat intervals, %d ticks",
			o.MaxClockDrift, o.leaseTicks(), 2*ticksPerHeartbeat))
	need(!o.RecordIncarnations || o.Incarnation != 0, "RecordIncarnations is set and Incarnation is not: there is nothing to record of this member")
	return errors.Join(errs...)
}

func (o *Options) diskLimits() diskLimits {
	return diskLimits{
		hungAfter: o.DiskHungAfter, slowWrite: o.DiskSlowWrite, window: o.DiskWindow,
		quiet: o.DiskQuiet, maxAsides: o.MaxStepAsides, asidesOver: o.StepAsidePeriod,
	}
}

func (o *Options) tick() time.Duration { return o.HeartbeatInterval / ticksPerHeartbeat }

func (o *Options) replicaConfig(boot protocol.Boot) replica.Config {
	return replica.Config{
		ID:                  o.ID,
		Incarnation:         o.Incarnation,
		Boot:                boot,
		Seed:                o.Seed,
		ElectionTicks:       int(o.ElectionTimeout / o.tick()),
		HeartbeatTicks:      ticksPerHeartbeat,
		MaxMessageBytes:     o.MaxMessageBytes,
		MaxInflight:         o.MaxInflight,
		MaxUncommittedBytes: o.MaxQueuedBytes,
		MaxTailBytes:        o.MaxTailBytes,
		MaxInflightBytes:    o.MaxInflightBytes,
		MaxApplyBytes:       o.MaxApplyBytes,
		LeaseTicks:          o.leaseTicks(),
		LeasePromise:        o.LeasePromise,
		Serial:              o.Serial,
		Mutation:            o.Mutation,
		MaxPromotionLag:     o.MaxPromotionLag,
		Memberships:         codec.Memberships{Serializer: o.Serializer},
	}
}
