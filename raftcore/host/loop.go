package host

import (
	"runtime"
	"slices"
	"time"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// loop is the only goroutine that touches the replica. Each turn takes all work
// that has come, steps it, and then sends and writes what the effects asked for:
// sends first, so that followers' disks work beside ours.
func (h *Host) loop() {
	defer close(h.loopDone)
	ticker := time.NewTicker(h.opts.tick())
	defer ticker.Stop()
	h.mend()
	for {
		select {
		case <-h.stop:
			h.drainCalls()
			return
		case now := <-ticker.C:
			h.tick()
			h.retry()
			h.watchDisk(now)
			h.mend()
			h.readClock(now)
			h.setPeers(now)
			h.recordIncarnations(now)
		case <-h.inbox.wake:
			runtime.Gosched() // let everybody leave work who is about to: one batch instead of two
		}
		h.turn()
		h.flush()
	}
}

func (h *Host) turn() {
	w := h.inbox.take(h.spare)
	h.spare = work{}
	h.keepPace()
	if w.persisted > 0 {
		h.step(replica.Persisted{Seq: w.persisted})
	}
	if w.applied > 0 {
		h.step(replica.Applied{Index: w.applied})
	}
	for _, m := range w.messages {
		if !h.refuseForward(m) {
			h.step(replica.Receive{Message: m})
		}
	}
	for _, in := range w.inputs {
		h.step(in)
	}
	if len(w.proposals) > 0 {
		h.propose(w.proposals)
	}
	for _, f := range w.calls {
		f(h.replica)
	}
	if id := h.reads.ask(); id != 0 { // last: whatever comes before may have answered the batch before
		h.keepPace() // no read has joined the batch after the clock was read
		h.step(replica.Read{ID: id})
	}
	h.spare = w.emptied()
}

// drainCalls answers those who asked before the loop ended.
func (h *Host) drainCalls() {
	for _, f := range h.inbox.take(work{}).calls {
		f(h.replica)
	}
}

// retry asks again for what was refused for want of a leader.
func (h *Host) retry() {
	for _, id := range h.reads.retry() {
		h.step(replica.Read{ID: id})
	}
	if p := h.held.take(h.State().Leader); len(p) > 0 {
		h.propose(slices.DeleteFunc(p, h.givenUp))
	}
}

// flush sends, then writes.
func (h *Host) flush() {
	if h.Fault() != nil {
		h.outbox, h.writes = h.outbox[:0], h.writes[:0]
		return
	}
	if len(h.outbox) > 0 {
		h.comms.Send(h.outbox)
		clear(h.outbox)
		h.outbox = h.outbox[:0]
	}
	for i, w := range h.writes {
		h.persister.put(w)
		h.writes[i] = write{}
	}
	h.writes = h.writes[:0]
}

// step gives the input to the replica unless the member is fenced, and does what
// the effects say.
func (h *Host) step(in replica.Input) {
	if h.Fault() != nil {
		return
	}
	e := h.observed(in)
	if e.Violation != nil {
		h.fail(fault.New(fault.InvariantBroken, time.Now(), e.Violation, "raft stopped"))
		return
	}
	if e.State != nil {
		h.stateChanged(*e.State)
	}
	if e.Membership != nil {
		h.membershipChanged(e.Membership)
	}
	for _, a := range e.Changes {
		h.changes.answered(a)
	}
	h.outbox = append(h.outbox, e.Send...)
	h.write(&e)
	if len(e.SendAfterPersist) > 0 {
		h.gate.hold(h.lastSeq, e.SendAfterPersist)
	}
	if len(e.Apply) > 0 {
		h.applier.put(e.Apply)
	}
	for _, f := range e.Fetch {
		h.fetch(f)
	}
	for _, to := range e.SendSnapshot {
		h.snapshots.send(to, h.State().Term)
	}
	for _, r := range e.Reads {
		h.reads.confirm(r.ID, r.Index, h.Applied)
	}
	for _, id := range e.ReadsRefused {
		h.reads.refuse(id)
	}
	for _, r := range e.Refused {
		h.refused(r)
	}
}

// observed steps the input under the eyes of the observer, if there is one.
func (h *Host) observed(in replica.Input) replica.Effects {
	o := h.opts.Observer
	if o == nil {
		return h.replica.Step(in)
	}
	o.BeforeStep(in)
	e := h.replica.Step(in)
	o.AfterStep(in, &e, h.replica.Status())
	return e
}

// write queues what is to be made durable. An Install is done when the log is
// empty and the state machine has the snapshot.
func (h *Host) write(e *replica.Effects) {
	if p := e.Persist; p != nil {
		h.lastSeq = p.Seq
		h.disk.given(p.Seq, time.Now())
		h.writes = append(h.writes, write{seq: p.Seq, hard: p.Hard, entries: p.Entries})
	}
	if in := e.Install; in != nil {
		h.lastSeq = in.Seq
		h.install(in)
	}
}

func (h *Host) stateChanged(s replica.StateChange) {
	if h.State().Role == replica.Leader && s.Role != replica.Leader {
		h.disk.steppedAside(time.Now())
	}
	h.tellState(State{Role: s.Role, Term: s.Term, Leader: s.Leader, Removed: h.State().Removed})
}

func (h *Host) tellState(n State) {
	h.state.Store(&n)
	if n.Removed && n.Role != replica.Leader {
		h.retire()
	}
	if h.opts.OnStateChange != nil {
		h.opts.OnStateChange(n)
	}
}

// durable is called when the write with the sequence number is on disk.
func (h *Host) durable(seq uint64) {
	if h.Fault() != nil {
		return
	}
	upTo := h.gate.done(seq)
	h.inbox.put(func(w *work) { w.persisted = max(w.persisted, upTo) })
}

// noteApplied is called by the applier before it answers the clients: what one of them asks
// for next comes to a replica that knows that the command before is done.
func (h *Host) noteApplied(id protocol.EntryID) {
	h.inbox.put(func(w *work) { w.applied = max(w.applied, id.Index) })
}

// onApplied is called by the applier.
func (h *Host) onApplied(id protocol.EntryID) {
	h.reads.release(id.Index)
	h.changes.applied(id.Index, false)
	h.snapshots.applied(id)
}

func (h *Host) fetch(f replica.Fetch) {
	h.background.Go(func() {
		entries, err := h.opts.Log.Read(f.From, f.To, f.MaxBytes)
		if err != nil {
			h.readFailed(err)
		}
		h.inbox.input(replica.Fetched{Fetch: f, Entries: entries, Err: err != nil})
	})
}

// handler is the Host as the transport sees it.
type handler Host

// Receive implements transport.Handler.
func (h *handler) Receive(messages []protocol.Message) {
	for _, m := range messages {
		switch body := m.Body.(type) {
		case *protocol.SnapshotRequest, *protocol.SnapshotResponse:
			h.snapshots.take(m)
		case *protocol.RepairRequest:
			(*Host)(h).giveRepair(m.From, body)
		case *protocol.RepairResponse:
			(*Host)(h).onLoop(func() { (*Host)(h).takeRepair(m.From, body) })
		default:
			h.inbox.receive(m)
		}
	}
	h.inbox.signal()
}

// Disconnected implements transport.Handler.
func (h *handler) Disconnected(id protocol.MemberID) {
	h.inbox.input(replica.Disconnected{Member: id})
}
