package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/repair"
	"github.com/quorate/quorate/raftcore/replica"
)

// member is one server: its disk, and, while it runs, a replica with the caller's
// duties around it (see package replica).
type member struct {
	c           *Cluster
	id          protocol.MemberID
	incarnation protocol.Incarnation
	volume      int             // counts the disks that it has had before
	former      memlog.Sequence // the log on the last of them
	interval    Time            // between its ticks
	drifted     Time            // the same, while clocks drift
	disk        disk
	joined      bool // after the cluster was founded
	gone        bool // for good
	life        int  // counts its starts; what was planned in an earlier life does not happen

	// The rest is lost in a crash.
	raft      *replica.Replica // nil while it is down
	role      replica.Role
	term      protocol.Term
	leader    protocol.MemberID
	commit    protocol.Index
	config    protocol.Membership // in effect: the last one in log
	log       memlog.Sequence     // all that was given to the disk, durable or not
	machine   state
	user      machine.StateMachine // of a Workload
	toApply   []protocol.Entry
	sends     map[protocol.MemberID]*transfer // of snapshots, to followers
	incoming  *incoming                       // the snapshot that arrives
	received  snapshot                        // the last one that has arrived
	heard     protocol.Term                   // the highest one of an arriving snapshot
	syncing   bool
	ticks     int  // since its start, which is its clock
	ticked    Time // when the last one was due
	stalled   int  // ticks in which the disk finished nothing of what it was given
	fit       replica.FitnessLevel
	hangs     Time // until when its disk finishes nothing
	full      Time // until when its disk is full
	weak      Time // until when it is unfit to lead
	failsSync bool // the next sync fails
	suspects  bool // its log may be damaged: it has met damage, or has not looked since it started
	repairer  *repair.Repairer
	asleep    Time // until when it does nothing at all
}

func newMember(c *Cluster, id protocol.MemberID, r random) *member {
	m := &member{c: c, id: id, interval: tickInterval, drifted: tickInterval, incarnation: protocol.Incarnation(r.Uint64())}
	if interval := r.between(fastest, slowest); c.options.Faults&Drift != 0 {
		m.drifted = interval
	}
	return m
}

// memberships encodes them as the members of a real cluster do.
var memberships = codec.Memberships{Serializer: codec.Msgpack{}}

func encodeMembership(m protocol.Membership) []byte {
	payload, err := memberships.EncodeMembership(m)
	if err != nil {
		panic(err) // every membership can be encoded
	}
	return payload
}

// votes tells voters from learners.
func (m *member) votes() bool {
	return slices.Contains(m.config.Voters(), m.id) || slices.Contains(m.config.Outgoing, m.id)
}

// start boots the member from what is on its disk.
func (m *member) start() {
	c := m.c
	if m.gone {
		return
	}
	m.life++
	restore, state := m.disk.recover(m.membership(nil), c.emptyState(), c.options.DurableMachine && c.options.Workload == nil)
	*m = member{
		c: c, id: m.id, joined: m.joined, incarnation: m.incarnation, volume: m.volume, former: m.former, interval: m.interval, drifted: m.drifted, disk: m.disk, life: m.life,
		log: m.disk.log.Clone(), machine: state, sends: map[protocol.MemberID]*transfer{},
	}
	m.reconfigure()
	m.suspects, m.repairer = true, m.newRepairer()
	c.work.start(m)
	boot := c.boots.Uint64()
	raft, err := replica.New(m.settings(boot), restore)
	if err != nil {
		c.fail(Invariants, "member %d does not start: %v", m.id, err)
		return
	}
	m.raft = raft
	c.observe(Observation{Moment: Started, Member: m.id, Restore: restore, Replica: raft})
	c.note(m, "starts at term %d, vote %d, log (%v, %d], applied %d", restore.Hard.Term, restore.Hard.Vote, restore.Log.Base, restore.Log.Last, restore.Applied.Index)
	c.check.started(m)
	m.judge()
	first := Time(boot % uint64(m.interval))
	m.ticked = c.clock.now + first - m.interval
	m.after(first, m.tick)
}

func (m *member) settings(boot uint64) replica.Config {
	o := m.c.options
	return replica.Config{
		ID:                  m.id,
		Incarnation:         m.incarnation,
		Boot:                protocol.Boot(boot),
		Seed:                boot,
		ElectionTicks:       o.ElectionTicks,
		HeartbeatTicks:      o.HeartbeatTicks,
		MaxMessageBytes:     o.MaxMessageBytes,
		MaxInflight:         o.MaxInflight,
		MaxUncommittedBytes: o.MaxUncommittedBytes,
		MaxTailBytes:        o.MaxTailBytes,
		MaxInflightBytes:    o.MaxInflightBytes,
		MaxApplyBytes:       o.MaxApplyBytes,
		LeaseTicks:          o.LeaseTicks,
		LeasePromise:        o.LeaseTicks > 0,
		Serial:              o.Serial,
		MaxPromotionLag:     3,
		Memberships:         memberships,
		Mutation:            o.mutation,
	}
}

func (m *member) tick() {
	m.ticked = m.c.clock.now
	m.after(m.interval, m.tick)
	m.ticks++
	m.step(replica.Tick{})
	m.recordVolumes()
	m.mend()
	m.watchDisk()
	m.readClock()
}

// wakes steps the ticks that were due while the member slept, before anything else
// happens to it, when it has leases: those rest on clocks that do not stand still. Without
// them Raft bears that. One that was woken early ticks so until its own next tick comes.
func (m *member) wakes() {
	if m.c.options.LeaseTicks == 0 {
		return
	}
	for m.raft != nil && m.ticked+m.interval < m.c.clock.now {
		m.ticked += m.interval
		m.ticks++
		m.step(replica.Tick{})
	}
}

// crash stops the member. The others may or may not notice at once.
func (m *member) crash() {
	if m.raft == nil {
		return
	}
	m.raft = nil
	m.c.observe(Observation{Moment: Crashed, Member: m.id})
	m.disk.crash(m.c.network.disks)
	m.c.note(m, "crashes; on disk are %+v and the log up to %v", m.disk.hard, m.disk.log.Last())
	m.c.clients.crashed(m)
	m.c.network.broken(m)
	m.c.emit(pauser.Event{Kind: pauser.Changed, Member: m.id, Status: m.status()})
}

// after plans something that happens only if the member does not crash before. While it
// is asleep nothing happens to it; all that was due comes when it wakes, in order.
func (m *member) after(d Time, do func()) {
	life := m.life
	m.c.clock.after(d, func() { m.resume(life, do) })
}

func (m *member) resume(life int, do func()) {
	switch {
	case m.raft == nil || m.life != life:
	case m.asleep > m.c.clock.now:
		m.c.clock.after(m.asleep-m.c.clock.now, func() { m.resume(life, do) })
	default:
		if m.wakes(); m.raft != nil && m.life == life {
			do()
		}
	}
}

// take takes a message. Repairs, chunks of snapshots and their answers are the caller's; the
// replica may be told of the chunks, as signs of life.
func (m *member) take(msg protocol.Message) {
	switch b := msg.Body.(type) {
	case *protocol.SnapshotRequest:
		m.takeChunk(msg, b)
	case *protocol.SnapshotResponse:
		m.chunkAnswered(msg.From, b)
	case *protocol.RepairRequest:
		m.c.coverage.taken(m, msg)
		m.giveRepair(msg.From, b)
		return
	case *protocol.RepairResponse:
		m.c.coverage.taken(m, msg)
		m.takeRepair(msg.From, b)
		return
	default:
		if !m.refusesForward(msg) {
			m.step(replica.Receive{Message: msg})
		}
		return
	}
	if m.raft == nil {
		return
	}
	if m.c.network.r.percent(50) {
		m.step(replica.Receive{Message: msg})
	} else {
		m.c.coverage.taken(m, msg)
	}
}

// step gives the replica an input and fulfils its effects, then checks everything.
func (m *member) step(in replica.Input) {
	c := m.c
	if m.raft == nil || c.failure != nil {
		return
	}
	c.steps++
	if !c.faults.over {
		c.faults.steps++
	}
	c.coverage.input(m, in)
	c.trace.add(c.clock.now, m.id, in)
	was := replica.StateChange{Role: m.role, Term: m.term, Leader: m.leader}
	e := m.raft.Step(in)
	if e.Violation != nil {
		c.fail(Invariants, "member %d reports: %v", m.id, e.Violation)
		return
	}
	c.observe(Observation{Moment: Stepped, Member: m.id, Input: in, Effects: &e, Replica: m.raft})
	if !m.fulfil(&e) {
		return // it has crashed on the way
	}
	c.check.stepped(m, was)
	if len(c.watchers) > 0 {
		c.emit(pauser.Event{Kind: pauser.Changed, Member: m.id, Status: m.status()})
	}
}

func (m *member) status() pauser.Status {
	if m.raft == nil {
		return pauser.Status{Member: m.id}
	}
	return pauser.Status{
		Member: m.id, Up: true, Role: m.role, Term: m.term, Leader: m.leader,
		Last: m.log.Last().Index, Commit: m.commit, Applied: m.machine.last.Index,
	}
}
