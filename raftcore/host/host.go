package host

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/transport"
)

// Host runs one member. Its methods may be called from any goroutine.
type Host struct {
	opts      Options
	replica   *replica.Replica // the loop's
	comms     transport.Comms
	inbox     *inbox
	gate      *gate
	persister *persister
	applier   *applier
	waiters   *waiters
	reads     *reads
	snapshots *snapshots
	sessions  *sessions

	started  time.Time     // what the clock is read against
	requests atomic.Uint64 // the last request number; unique over restarts
	state    atomic.Pointer[State]
	members  atomic.Pointer[replica.MembershipChange]
	changes  changes
	fault    atomic.Pointer[fault.Fault] // set once: the member is fenced
	ailments ailments                    // what it lives with
	waiting  atomic.Int64                // bytes of the commands that clients of this member wait for

	diskHealth atomic.Pointer[DiskHealth]

	// The loop's own.
	spare    work // memory for the inbox
	outbox   []protocol.Message
	writes   []write
	lastSeq  uint64
	read     time.Time // when the clock was proposed last for the sessions; zero: not in this leadership
	disk     diskMonitor
	ticked   time.Time // up to when ticks were stepped, with leases
	recordAt time.Time // when volumes may be recorded next
	held     heldProposals
	mending  mending
	space    fullness
	fitness  [reasons]replica.FitnessLevel
	peers    peers

	stop       chan struct{} // closed by Close or by a decision to end
	stopOnce   sync.Once
	loopDone   chan struct{}
	closeOnce  sync.Once
	closeErr   error
	background sync.WaitGroup // what loop and applier begin: fetches, snapshots and their transfers
	deciding   sync.WaitGroup // the embedder is asked about a fault
	decision   atomic.Uint32  // fault.Decision, once Done is closed
}

// Start brings a member up from what is in its storage and begins to take part in
// its group. Errors are *fault.Fault when the storage is to blame. The host owns
// Log and Machine from now on, also when it gives an error: it closes them.
func Start(opts Options) (*Host, error) {
	h, err := start(opts)
	if err != nil {
		if opts.Machine != nil {
			opts.Machine.Close()
		}
		if opts.Log != nil {
			opts.Log.Close()
		}
		return nil, err
	}
	return h, nil
}

func start(opts Options) (*Host, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, fault.New(fault.ConfigInvalid, time.Now(), err, "host options")
	}
	if opts.Seed == 0 {
		opts.Seed = random()
	}
	st := newState(&opts)
	restored, err := restore(&opts, st)
	if err != nil {
		return nil, err
	}
	applied, err := membershipAt(restored, opts.Serializer)
	if err != nil {
		return nil, fault.New(fault.LogCorrupt, time.Now(), err, "reading the membership as of entry %d", restored.Applied.Index)
	}
	r, err := replica.New(opts.replicaConfig(protocol.Boot(random())), restored)
	if err != nil {
		return nil, fault.New(fault.ConfigInvalid, time.Now(), err, "replica options")
	}
	h := &Host{
		opts: opts, replica: r,
		inbox: newInbox(), waiters: newWaiters(), reads: &reads{}, started: time.Now(),
		stop: make(chan struct{}), loopDone: make(chan struct{}),
	}
	h.ticked, h.disk = h.started, diskMonitor{limits: opts.diskLimits(), slot: h.started}
	h.diskHealth.Store(&DiskHealth{})
	h.requests.Store(random() << 24)
	h.state.Store(&State{Term: restored.Hard.Term})
	h.snapshots = newSnapshots(h, restored.Applied.Index)
	h.persister = newPersister(opts.Log, opts.Votes, h.durable, h.storageFailed)
	h.applier = h.newApplier(st, restored.Applied, applied)
	h.sessions = newSessions(h)
	h.gate = &gate{}
	if h.comms, err = opts.Connect((*handler)(h)); err != nil {
		return nil, fmt.Errorf("connecting to the peers: %w", err)
	}
	h.gate.comms = h.comms
	present := replica.MembershipChange{Membership: r.Status().Membership}
	h.members.Store(&present)
	h.peers.change(addresses(present.Membership, opts.ID), false)
	h.setPeers(time.Now())
	h.mending.repairer = newRepairer(&opts)
	h.mending.refused = refusals{}
	h.suspect() // the log may have met damage when it was opened
	go h.applier.run()
	h.background.Go(h.snapshots.receive)
	if s, ok := opts.Log.(storage.Space); ok {
		h.background.Go(func() { h.watchSpace(s) })
	}
	go h.loop()
	return h, nil
}

func (h *Host) newApplier(s *state, applied protocol.EntryID, members protocol.Membership) *applier {
	a := &applier{
		self: h.opts.ID, state: s, serializer: h.opts.Serializer, waiters: h.waiters,
		observer: h.opts.Observer, noted: h.noteApplied, onApplied: h.onApplied, onTerm: h.onTerm, onMembership: h.changes.configured, failed: h.applyFailed,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	a.appliedTo, _ = h.opts.Machine.(machine.AppliedTo)
	a.last, a.members = applied, members
	a.applied.Store(uint64(applied.Index))
	a.sessions.Store(int64(s.table.Len()))
	if h.opts.Mutation.Has(mutation.ExpireByLocalClock) {
		a.localClock = h.clock
	}
	return a
}

// Done is closed when the host has ended, by Close or after a fault.
func (h *Host) Done() <-chan struct{} { return h.loopDone }

// Decision tells, once Done is closed, what OnUnrecoverable wanted; Hold when Close
// ended the host.
func (h *Host) Decision() fault.Decision { return fault.Decision(h.decision.Load()) }

// Fault gives the unrecoverable fault that has fenced this member, or nil.
func (h *Host) Fault() *fault.Fault { return h.fault.Load() }

// State gives the present role, term and leader.
func (h *Host) State() State { return *h.state.Load() }

// Applied gives the index up to which the state machine has applied.
func (h *Host) Applied() protocol.Index { return protocol.Index(h.applier.applied.Load()) }

// Close ends the member: no goroutine of it runs and all files are closed when it
// returns. It does not hand leadership over; see Transfer.
func (h *Host) Close() error {
	h.closeOnce.Do(func() { h.closeErr = h.close() })
	return h.closeErr
}

func (h *Host) close() error {
	h.end(ErrClosed)
	<-h.loopDone
	h.gate.close()
	h.inbox.close()
	err := h.comms.Close()
	h.persister.wait()
	close(h.snapshots.stop)
	close(h.applier.stop)
	<-h.applier.done
	h.background.Wait() // neither loop nor applier begins more
	if e := h.opts.Log.Close(); e != nil && h.Fault() == nil {
		err = e
	}
	h.deciding.Wait() // nobody is left to meet a fault
	if e := h.opts.Machine.Close(); e != nil {
		err = e
	}
	if h.opts.Observer != nil {
		h.opts.Observer.Closed()
	}
	return err
}

// end lets every client go with the error, and the loop come to its end.
func (h *Host) end(err error) {
	h.waiters.close(err)
	h.reads.close(err)
	h.sessions.close()
	h.changes.close(err)
	h.stopOnce.Do(func() { close(h.stop) })
}

// Propose replicates the payload and gives the state machine's result. The errors
// are those of this package, or ctx's: then the command may still take effect.
func (h *Host) Propose(ctx context.Context, payload []byte) (machine.Result, error) {
	if err := h.checkSize(payload); err != nil {
		return machine.Result{}, err
	}
	id := h.requests.Add(1)
	encoded, err := h.opts.Serializer.EncodeCommand(nil, protocol.Command{
		ReplyTo: protocol.ReplyTo{Member: h.opts.ID, Request: id}, Payload: payload,
	})
	if err != nil {
		return machine.Result{}, err
	}
	return h.submit(ctx, id, protocol.EntryCommand, encoded.Bytes)
}

func (h *Host) checkSize(payload []byte) error {
	if len(payload) > h.opts.MaxCommandBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(payload), h.opts.MaxCommandBytes)
	}
	return nil
}

// submit proposes what is encoded under the request's number, and waits for the outcome.
func (h *Host) submit(ctx context.Context, id uint64, kind protocol.EntryKind, payload []byte) (machine.Result, error) {
	size := int64(len(payload))
	defer h.waiting.Add(-size)
	if n := h.waiting.Add(size); n > int64(h.opts.MaxQueuedBytes) && n > size {
		return machine.Result{}, ErrOverloaded
	}
	w, err := h.waiters.add(id)
	if err != nil {
		return machine.Result{}, err
	}
	if !h.inbox.propose(proposal{id, kind, payload, w}, h.opts.MaxQueuedBytes) {
		h.waiters.complete(id, outcome{err: ErrOverloaded})
	}
	select {
	case o := <-w.done:
		if o.err == nil {
			h.waiters.release(w)
		}
		return o.result, o.err
	case <-ctx.Done():
		if o, ok := h.waiters.abandon(id, w); ok {
			return o.result, o.err
		}
		return machine.Result{}, ctx.Err()
	}
}

// ReadBarrier returns when a read of the local state machine is linearizable: it
// then has everything that was committed when ReadBarrier was called (thesis
// section 6.4). It waits for a leader as long as ctx allows.
func (h *Host) ReadBarrier(ctx context.Context) error {
	b, fresh := h.reads.join()
	if fresh {
		h.inbox.signal()
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Transfer hands leadership to the member (0: to the most up-to-date one) and
// returns when this member does not lead any more, or with ErrFenced when it is fenced.
func (h *Host) Transfer(ctx context.Context, to protocol.MemberID) error {
	tick := time.NewTicker(h.opts.tick())
	defer tick.Stop()
	for h.State().Role == replica.Leader {
		if h.Fault() != nil {
			return ErrFenced
		}
		h.inbox.input(replica.Transfer{To: to})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.loopDone:
			return nil
		case <-tick.C:
		}
	}
	return nil
}

func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	return binary.LittleEndian.Uint64(b[:])
}
