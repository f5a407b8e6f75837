package replica_test

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// world is a cluster whose disks and network do only what a test tells them to. It
// fulfils the caller's duties of the package comment.
type world struct {
	members  []*member // ascending by ID
	flying   []protocol.Message
	mutation mutation.Set
	initial  protocol.Membership
	config   replica.Config
	boots    protocol.Boot
	cut      map[link]bool                    // messages that are delivered on it are lost
	trace    func(format string, args ...any) // what the Effects were; nil: nobody looks
}

type link struct{ from, to protocol.MemberID }

// member is one replica with its disk and its state machine.
type member struct {
	id  protocol.MemberID
	r   *replica.Replica // nil: crashed
	inc protocol.Incarnation

	stranger bool // it was not there when the cluster was founded

	disk disk             // what survives a crash
	log  disk             // the same with the writes that are queued
	jobs []job            // in order
	done []protocol.Entry // the state machine: everything applied, from index 1
	todo []protocol.Entry // given by Apply, not applied yet

	fetches   []replica.Fetch
	found     []protocol.Entry // by the first of them, which is not answered yet
	snapshots []transfer
	reads     []replica.ReadIndex
	refused   []uint64
	rejected  int // proposals given back
	answers   []replica.ChangeAnswer
}

// transfer is a snapshot that a leader owes, in the term in which it led.
type transfer struct {
	to   protocol.MemberID
	term protocol.Term
}

// job is a write, or messages that wait for the writes before them.
type job struct {
	write    *replica.Persist
	install  *replica.Install
	messages []protocol.Message
}

// memberships encodes them as the members of a real cluster do.
var memberships = codec.Memberships{Serializer: codec.Msgpack{}}

func newWorld(voters, learners int) *world {
	w := &world{config: replica.Config{
		ElectionTicks: 10, HeartbeatTicks: 2, MaxMessageBytes: 200, MaxInflight: 2,
		MaxUncommittedBytes: 1 << 20, MaxTailBytes: 1 << 20, Memberships: memberships,
	}}
	for i := 1; i <= voters+learners; i++ {
		s := protocol.Voter
		if i > voters {
			s = protocol.Learner
		}
		w.initial.Members = append(w.initial.Members, protocol.Member{ID: protocol.MemberID(i), Address: fmt.Sprint("m", i), Suffrage: s})
		w.members = append(w.members, &member{id: protocol.MemberID(i), inc: protocol.Incarnation(i)})
	}
	return w
}

// join adds a member that knows nobody, with an empty disk.
func (w *world) join(id protocol.MemberID) *member {
	m := &member{id: id, inc: protocol.Incarnation(id), stranger: true}
	w.members = append(w.members, m)
	return m
}

func (w *world) startAll() error {
	for _, m := range w.members {
		if m.r == nil {
			if err := w.start(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// start boots a member from its disk.
func (w *world) start(m *member) error { return w.startFrom(m, m.disk.state()) }

func (w *world) startFrom(m *member, log protocol.LogState) error {
	w.boots++
	cfg := w.config
	cfg.ID, cfg.Incarnation, cfg.Boot, cfg.Seed, cfg.Mutation = m.id, m.inc, w.boots, uint64(w.boots)*7919+cfg.Seed, w.mutation
	membership := w.initial
	if m.stranger {
		membership = protocol.Membership{}
	}
	applied := m.disk.base
	if n := len(m.done); n > 0 && m.done[n-1].Index > applied.Index {
		applied = m.done[n-1].ID()
	}
	r, err := replica.New(cfg, replica.Restore{Hard: m.disk.hard, Log: log, Applied: applied, Membership: membership})
	if err != nil {
		return err
	}
	m.r, m.log = r, m.disk.clone()
	return nil
}

// crash loses everything that is not on the disk.
func (w *world) crash(m *member) {
	*m = member{id: m.id, inc: m.inc, stranger: m.stranger, disk: m.disk, done: m.done}
}

// wipe gives a crashed member an empty disk.
func (w *world) wipe(m *member) {
	*m = member{id: m.id, inc: m.inc + 1000, stranger: m.stranger}
}

func (w *world) member(id protocol.MemberID) *member {
	i := slices.IndexFunc(w.members, func(m *member) bool { return m.id == id })
	if i < 0 {
		return nil
	}
	return w.members[i]
}

// step is Step and the first half of the caller's duties; the rest waits in the
// member and in the network until a test lets it happen.
func (w *world) step(m *member, in replica.Input) error {
	fx := m.r.Step(in)
	if w.trace != nil {
		w.traceEffects(m.id, fx)
	}
	if fx.Violation != nil {
		return fx.Violation
	}
	w.flying = append(w.flying, fx.Send...)
	if fx.Persist != nil {
		m.log.insert(fx.Persist)
		m.jobs = append(m.jobs, job{write: fx.Persist})
	}
	if fx.Install != nil {
		m.log.reset(fx.Install.Meta)
		m.jobs = append(m.jobs, job{install: fx.Install})
	}
	if len(fx.SendAfterPersist) > 0 {
		m.jobs = append(m.jobs, job{messages: slices.Clone(fx.SendAfterPersist)})
	}
	m.todo = append(m.todo, fx.Apply...)
	m.fetches = append(m.fetches, fx.Fetch...)
	for _, to := range fx.SendSnapshot {
		m.snapshots = append(m.snapshots, transfer{to, m.r.Status().Term})
	}
	m.reads = append(m.reads, fx.Reads...)
	m.refused = append(m.refused, fx.ReadsRefused...)
	m.answers = append(m.answers, fx.Changes...)
	for _, x := range fx.Refused {
		m.rejected += len(x.Payloads)
	}
	return m.r.CheckInvariants()
}

// persist makes the next write durable and lets go of what waited for it. Its
// install replaces the state machine by that of the leader.
func (w *world) persist(m *member) error {
	w.release(m)
	if len(m.jobs) == 0 {
		return nil
	}
	j := m.jobs[0]
	m.jobs = m.jobs[1:]
	var seq uint64
	if j.write != nil {
		m.disk.insert(j.write)
		seq = j.write.Seq
	} else {
		m.disk.reset(j.install.Meta)
		seq = j.install.Seq
		m.done = w.stateAt(j.install.Meta.Last.Index)
	}
	w.release(m)
	return w.step(m, replica.Persisted{Seq: seq})
}

// release sends messages at the head of the queue.
func (w *world) release(m *member) {
	for len(m.jobs) > 0 && m.jobs[0].messages != nil {
		w.flying = append(w.flying, m.jobs[0].messages...)
		m.jobs = m.jobs[1:]
	}
}

// stateAt gives a state machine that has applied up to an index.
func (w *world) stateAt(i protocol.Index) []protocol.Entry {
	for _, m := range w.members {
		if len(m.done) >= int(i) {
			return slices.Clone(m.done[:i])
		}
	}
	panic(fmt.Sprintf("no state machine has applied entry %d", i))
}

// applyAll applies everything that was handed out.
func (w *world) applyAll(m *member) error {
	if len(m.todo) == 0 {
		return nil
	}
	for _, e := range m.todo {
		if e.Index <= protocol.Index(len(m.done)) {
			continue // a snapshot was faster
		}
		if int(e.Index) != len(m.done)+1 {
			return fmt.Errorf("member %d applies entry %d after %d", m.id, e.Index, len(m.done))
		}
		m.done = append(m.done, e)
	}
	last := m.todo[len(m.todo)-1].Index
	m.todo = nil
	return w.step(m, replica.Applied{Index: last})
}

// fetch answers the oldest Fetch.
func (w *world) fetch(m *member) error {
	f := m.fetches[0]
	m.fetches = m.fetches[1:]
	entries := m.found
	if m.found = nil; entries == nil {
		entries = m.log.read(f.From, f.To, f.MaxBytes)
	}
	return w.step(m, replica.Fetched{Fetch: f, Entries: entries, Err: entries == nil})
}

// snapshot carries the oldest snapshot that was asked for; it may be lost.
func (w *world) snapshot(m *member, lost bool) error {
	owed := m.snapshots[0]
	to := w.member(owed.to)
	m.snapshots = m.snapshots[1:]
	s := m.r.Status()
	last := protocol.EntryID{Index: max(protocol.Index(len(m.done)), s.Base.Index)}
	last.Term, _ = m.r.TermAt(last.Index)
	if lost || to.r == nil {
		return w.step(m, replica.SnapshotSent{To: to.id})
	}
	meta := protocol.SnapshotMeta{Last: last, Membership: w.membershipAt(m, last.Index)}
	if err := w.step(to, replica.SnapshotReceived{From: m.id, Term: owed.term, Meta: meta}); err != nil {
		return err
	}
	return w.step(m, replica.SnapshotSent{To: to.id, Last: last, OK: true})
}

// membershipAt gives the membership as of an index that a member has applied.
func (w *world) membershipAt(m *member, i protocol.Index) protocol.Membership {
	payload := m.log.configurationAt(i)
	if payload == nil {
		return w.initial
	}
	x, err := memberships.DecodeMembership(payload)
	if err != nil {
		panic(err)
	}
	return x
}

// deliver takes the i-th message from the network.
func (w *world) deliver(i int) error {
	msg := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	return w.give(msg)
}

func (w *world) give(msg protocol.Message) error {
	if to := w.member(msg.To); to != nil && to.r != nil && !w.cut[link{msg.From, msg.To}] {
		return w.step(to, replica.Receive{Message: msg})
	}
	return nil
}

// compact drops a member's log up to an index that it has applied.
func (w *world) compact(m *member, upTo protocol.Index) error {
	t, _ := m.r.TermAt(upTo)
	base := protocol.EntryID{Term: t, Index: upTo}
	for _, d := range []*disk{&m.disk, &m.log} {
		n := min(int(upTo-d.base.Index), len(d.entries))
		d.configuration = d.configurationAt(upTo)
		d.base, d.entries = base, slices.Clone(d.entries[n:])
	}
	return w.step(m, replica.Compacted{Base: base})
}

// settle lets disks and network do everything there is to do.
func (w *world) settle() error {
	for range 10000 {
		busy := false
		for _, m := range w.members {
			if m.r == nil {
				continue
			}
			did, err := w.settleMember(m)
			if err != nil {
				return err
			}
			busy = busy || did
		}
		if len(w.flying) > 0 {
			busy = true
			if err := w.deliver(0); err != nil {
				return err
			}
		}
		if !busy {
			return nil
		}
	}
	return fmt.Errorf("the cluster does not come to rest: %d messages under way", len(w.flying))
}

func (w *world) settleMember(m *member) (bool, error) {
	switch {
	case len(m.jobs) > 0:
		return true, w.persist(m)
	case len(m.todo) > 0:
		return true, w.applyAll(m)
	case len(m.fetches) > 0:
		return true, w.fetch(m)
	case len(m.snapshots) > 0:
		return true, w.snapshot(m, false)
	}
	return false, nil
}
