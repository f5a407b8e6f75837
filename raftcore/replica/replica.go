package replica

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/quorum"
)

// Replica is one member's Raft. Everything that happens to it comes through Step.
//
// Invariants (CheckInvariants names a broken one by its number):
//
//  1. base <= handed <= commit <= last. What was handed out for applying is durable
//     here: handed <= stable, unless an Install is not durable yet.
//  2. The log's terms ascend with its indexes and none is above the current term.
//     What memory holds of the log agrees with that, and reaches from some entry
//     up to the last one; everything that is not durable is in it.
//  3. A candidate and a leader have their own vote. Only a leader has followers'
//     progress, queued reads and a transfer.
//  4. What a leader knows of a follower keeps package progress's invariants, and
//     never matches beyond the leader's last entry.
//  5. The writes that are not durable ascend by their sequence numbers. What is durable
//     of the log does not reach beyond it.
//  6. The bytes that a leader counts as unsettled are those of its own term's entries
//     that are not committed, or not durable here.
//     What it counts as a lag are the bytes of those that are, but not applied.
//  7. What a follower remembers of its Forwards is of the present term, and bounded.
//  8. The configurations ascend, those after the first are in the log above its base, and
//     the last one is in effect. A leader knows the progress of each of its members.
//
// The rule of persistence. A message leaves through Effects.Send only when the
// (term, vote) that it is sent under is durable; while a HardState is still to be
// written, all messages go into SendAfterPersist. A member that restarts therefore
// never has a lower term than any message of its own told, and never a
// vote less. A response that acknowledges entries that are not durable yet waits in
// SendAfterPersist for them. Everything else is sent at once: a rejection, a
// refused vote, a heartbeat's answer (which acknowledges only what is durable) and
// a leader's entries, which it counts for itself only when its own disk has them.
type Replica struct {
	cfg Config

	role   Role
	term   protocol.Term
	vote   protocol.MemberID
	leader protocol.MemberID

	configurations configurations
	inEffect       inEffect            // names the one that the next three are of
	membership     protocol.Membership // never changed in place
	voters         quorum.Config
	peers          []protocol.MemberID // all members but this one, ascending

	log     entryLog
	writes  writes
	commit  protocol.Index
	handed  protocol.Index // given out through Effects.Apply
	applied protocol.Index // told by Applied
	fetched fetchForApply

	heardRound uint64 // the highest one heard from this term's leader

	timers    timers
	votes     []protocol.MemberID // who granted the present pre-vote or vote
	hasty     bool                // this pre-vote began because the leader's connection broke
	followers []progress.Progress // of peers and of members removed lately, ascending, when leader
	ownFirst  protocol.Index      // the NoOp of this leader's term
	settled   protocol.Index      // own entries up to here are committed and durable here
	unsettled int                 // bytes of those after it
	transfer  transfer
	reads     reads
	lease     lease
	aside     int // ticks since this leader began to hand over because it is not fit

	fitness     FitnessLevel
	forwards    forwards       // of a follower
	lastCommand protocol.Index // of a leader of a serial group
	applying    backlog        // handed out and not applied
	lag         backlog        // of a leader: settled and not applied

	fx        Effects
	told      StateChange
	violation error
}

// New makes a replica from its configuration and what survived on disk. An error
// tells which of the two contradicts itself.
func New(cfg Config, restore Restore) (*Replica, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("replica %d: %w", cfg.ID, err)
	}
	log, err := newEntryLog(restore.Log)
	if err != nil {
		return nil, fmt.Errorf("replica %d: %w", cfg.ID, err)
	}
	if !log.has(restore.Applied) {
		return nil, fmt.Errorf("replica %d: the state machine has applied entry %d of term %d, which the log (base %d, last %d) does not hold",
			cfg.ID, restore.Applied.Index, restore.Applied.Term, log.base.Index, log.last)
	}
	if t := log.lastID().Term; t > restore.Hard.Term {
		return nil, fmt.Errorf("replica %d: the log ends in term %d, but the saved term is %d", cfg.ID, t, restore.Hard.Term)
	}
	configurations, err := restored(cfg.Memberships, restore)
	if err != nil {
		return nil, fmt.Errorf("replica %d: %w", cfg.ID, err)
	}
	r := &Replica{
		cfg:     cfg,
		term:    restore.Hard.Term,
		vote:    restore.Hard.Vote,
		log:     log,
		writes:  writes{stable: log.last},
		commit:  restore.Applied.Index, // only what was committed is applied
		handed:  restore.Applied.Index,
		applied: restore.Applied.Index,
		timers:  timers{random: generator(cfg.Seed)},

		applying: backlog{limit: cfg.MaxApplyBytes},
		lag:      backlog{limit: cfg.MaxUncommittedBytes},

		configurations: configurations,
	}
	boot := generator(cfg.Boot)
	r.reads.wire, r.forwards.last = boot.next(), boot.next()
	r.setMembership(configurations.last().membership)
	r.inEffect.id = configurations.last().id // committed is told by the first Step
	r.settleRole()
	if !r.keepsPromise() {
		r.forgetLeaderContact() // else: what it had promised before it was started still holds
	}
	r.resetElectionTimer()
	r.told = r.state()
	return r, nil
}

// Step lets one thing happen and gives what must be done about it. After a
// violation it does nothing more but to repeat it.
func (r *Replica) Step(in Input) Effects {
	if r.violation == nil {
		r.beginStep()
		r.take(in)
		r.endStep()
	}
	if r.violation != nil {
		return Effects{Violation: r.violation}
	}
	return r.fx
}

func (r *Replica) take(in Input) {
	switch in := in.(type) {
	case Tick:
		r.tick()
	case Receive:
		r.receive(in.Message)
	case Propose:
		r.propose(in.Kind, in.Payloads)
	case Read:
		r.read(in.ID)
	case Persisted:
		r.persisted(in.Seq)
	case Applied:
		r.appliedUpTo(in.Index)
	case Fetched:
		r.takeFetched(in)
	case Compacted:
		r.compacted(in.Base)
	case SnapshotReceived:
		r.snapshotReceived(in)
	case SnapshotSent:
		r.snapshotSent(in)
	case Disconnected:
		r.disconnected(in.Member)
	case Transfer:
		r.startTransfer(in.To)
	case Change:
		r.change(in)
	case Resign:
		r.resign()
	case Fitness:
		r.setFitness(in.Level)
	case Repaired:
		r.takeRepaired(in.Configurations)
	}
}

// beginStep empties the Effects of the last Step but keeps their memory.
func (r *Replica) beginStep() {
	clear(r.fx.Send)
	clear(r.fx.SendAfterPersist)
	r.fx = Effects{
		Send:             r.fx.Send[:0],
		SendAfterPersist: r.fx.SendAfterPersist[:0],
		Fetch:            r.fx.Fetch[:0],
		SendSnapshot:     r.fx.SendSnapshot[:0],
		Reads:            r.fx.Reads[:0],
		ReadsRefused:     r.fx.ReadsRefused[:0],
		Changes:          r.fx.Changes[:0],
	}
}

// endStep draws the conclusions that any input may have made due.
func (r *Replica) endStep() {
	if r.violation != nil {
		return
	}
	r.adopt()
	if r.role == Leader {
		r.lead()
	}
	r.persist()
	r.apply()
	r.log.evict(r.cfg.MaxTailBytes, min(r.commit, r.writes.stable))
	if s := r.state(); s != r.told {
		r.told = s
		change := s // what is pointed to is allocated: not at each step
		r.fx.State = &change
	}
}

// violate stops this replica for good: see Effects.Violation.
func (r *Replica) violate(format string, args ...any) {
	if r.violation == nil {
		r.violation = fmt.Errorf("replica %d in term %d: "+format, append([]any{r.cfg.ID, r.term}, args...)...)
	}
}

func (r *Replica) state() StateChange {
	return StateChange{Role: r.role, Term: r.term, Leader: r.leader}
}
