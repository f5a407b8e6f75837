package host

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// ErrChangeLost tells that a change of the membership was taken and took no effect: the
// leader that had taken it was deposed before it could commit it.
var ErrChangeLost = errors.New("the leader that took the change was deposed before it was committed")

// ChangeMembership lets the leader, which this member must be, change the membership. It
// returns when the new configuration is committed and applied here, where it is joint also
// the one that follows it, and gives that one. The error is a *replica.ChangeRefused
// when nothing was done, ErrChangeLost when nothing remains of it, one of this package's
// other errors, or ctx's: then the change may still take effect.
func (h *Host) ChangeMembership(ctx context.Context, c membership.Change) (protocol.Membership, error) {
	id, w, err := h.changes.add()
	if err != nil {
		return protocol.Membership{}, err
	}
	h.inbox.input(replica.Change{ID: id, Change: c})
	select {
	case o := <-w.done:
		return o.membership, o.err
	case <-ctx.Done():
		h.changes.abandon(id)
		return protocol.Membership{}, ctx.Err()
	}
}

// Membership gives the configuration that is in effect here, committed or not. It must not
// be changed.
func (h *Host) Membership() protocol.Membership { return h.members.Load().Membership }

// membershipChanged is called by the loop.
func (h *Host) membershipChanged(m *replica.MembershipChange) {
	h.members.Store(m)
	h.peers.change(addresses(m.Membership, h.opts.ID), m.Committed)
	h.setPeers(time.Now())
	h.opts.Logger.Info("membership", "entry", m.ID.Index, "voters", m.Membership.Voters(), "before", m.Membership.Outgoing,
		"learners", m.Membership.Learners(), "committed", m.Committed, "removed", m.Removed)
	if m.Foreign {
		h.fail(fault.New(fault.VolumeLost, time.Now(), nil,
			"the membership of entry %d records another volume for member %d than this one, which has incarnation %016x: what that volume had acknowledged is lost here; replace the member by one with a new ID",
			m.ID.Index, h.opts.ID, uint64(h.opts.Incarnation)))
		return
	}
	if s := h.State(); s.Removed != m.Removed {
		s.Removed = m.Removed
		h.tellState(s)
	}
}

// retire lets every client go when this member was removed: it will not hear of a leader
// again. A command that was handed to one may take effect.
func (h *Host) retire() {
	for id := range h.waiters.handedOver(func(protocol.Term) bool { return true }) {
		h.waiters.complete(id, outcome{err: ErrUnknown})
	}
	h.waiters.close(ErrRemoved)
	h.reads.close(ErrRemoved)
}

// setPeers tells the transport who the peers are, when that is not what it knows.
func (h *Host) setPeers(now time.Time) {
	h.peers.expire(now, departingTimeouts*h.opts.ElectionTimeout)
	if h.peers.changed {
		h.comms.SetPeers(h.peers.all())
		h.peers.changed = false
	}
}

// departingTimeouts is for how many election timeouts after the commit of its removal a
// member is still connected: longer than the replica feeds it.
const departingTimeouts = 5

// peers are the addresses that messages go to: those of the configuration in effect, and
// those of members that it has removed, until these may have learned of it.
type peers struct {
	present   map[protocol.MemberID]string
	removed   map[protocol.MemberID]removedPeer
	committed bool // the configuration in effect
	changed   bool // and the transport was not told
}

type removedPeer struct {
	address string
	since   time.Time // zero: not committed yet
}

func (p *peers) change(next map[protocol.MemberID]string, committed bool) {
	for id, address := range p.present {
		if _, stays := next[id]; !stays {
			if p.removed == nil {
				p.removed = make(map[protocol.MemberID]removedPeer)
			}
			p.removed[id] = removedPeer{address: address}
		}
	}
	for id := range next {
		delete(p.removed, id) // its removal was cut off
	}
	p.changed = p.changed || p.present == nil || !maps.Equal(p.present, next)
	p.present, p.committed = next, committed
}

// expire forgets the removed when patience has passed since their removal was seen to be
// committed.
func (p *peers) expire(now time.Time, patience time.Duration) {
	for id, r := range p.removed {
		switch {
		case r.since.IsZero() && p.committed:
			p.removed[id] = removedPeer{r.address, now}
		case !r.since.IsZero() && now.Sub(r.since) > patience:
			delete(p.removed, id)
			p.changed = true
		}
	}
}

// all gives what the transport should know.
func (p *peers) all() map[protocol.MemberID]string {
	all := maps.Clone(p.present)
	for id, r := range p.removed {
		all[id] = r.address
	}
	return all
}

func addresses(m protocol.Membership, self protocol.MemberID) map[protocol.MemberID]string {
	peers := make(map[protocol.MemberID]string)
	for _, x := range m.Members {
		if x.ID != self {
			peers[x.ID] = x.Address
		}
	}
	return peers
}

// membershipAt gives the membership as of the last entry that is applied.
func membershipAt(r replica.Restore, s codec.Serializer) (protocol.Membership, error) {
	var payload []byte
	if r.MembershipAt < r.Log.Base.Index {
		payload = r.Log.Configuration
	}
	for _, e := range r.Log.Configurations {
		if e.Index > r.MembershipAt && e.Index <= r.Applied.Index {
			payload = e.Payload
		}
	}
	if payload == nil {
		return r.Membership, nil
	}
	return codec.Memberships{Serializer: s}.DecodeMembership(payload)
}

// changes knows the clients of this member that wait for a change of the membership.
type changes struct {
	count atomic.Int32 // of those that wait: the applier looks at it for every batch

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*changeWaiter
	closed  error
}

type changeWaiter struct {
	done  chan changeOutcome // capacity 1
	entry protocol.EntryID   // that was appended for it; zero: nobody has answered yet
	joint bool               // that entry was applied and is joint: now the one that leaves it
}

type changeOutcome struct {
	membership protocol.Membership
	err        error
}

func (c *changes) add() (uint64, *changeWaiter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return 0, nil, c.closed
	}
	if c.waiting == nil {
		c.waiting = make(map[uint64]*changeWaiter)
	}
	c.last++
	w := &changeWaiter{done: make(chan changeOutcome, 1)}
	c.waiting[c.last] = w
	c.count.Store(int32(len(c.waiting)))
	return c.last, w, nil
}

func (c *changes) abandon(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(id)
}

func (c *changes) remove(id uint64) {
	delete(c.waiting, id)
	c.count.Store(int32(len(c.waiting)))
}

// answered is called by the loop, before anything is applied that the change has led to.
func (c *changes) answered(a replica.ChangeAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waiting[a.ID]
	switch {
	case w == nil:
	case a.Refused != nil:
		c.end(a.ID, changeOutcome{err: a.Refused})
	default:
		w.entry = a.Entry
	}
}

func (c *changes) end(id uint64, o changeOutcome) {
	c.waiting[id].done <- o
	c.remove(id)
}

// configured is called by the applier for each configuration that it has applied.
func (c *changes) configured(entry protocol.EntryID, m protocol.Membership) {
	if c.count.Load() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, w := range c.waiting {
		if w.entry != entry && !w.joint {
			continue
		}
		if w.joint = membership.IsJoint(m); !w.joint {
			c.end(id, changeOutcome{membership: m})
		}
	}
}

// applied is called by the applier after it has applied entries up to an index: a change
// whose entry is not among them, though its index is, was cut off. When a snapshot
// brought them it cannot be told.
func (c *changes) applied(i protocol.Index, snapshot bool) {
	if c.count.Load() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := ErrChangeLost
	if snapshot {
		err = ErrUnknown
	}
	for id, w := range c.waiting {
		if w.entry.Index != 0 && w.entry.Index <= i && (snapshot || !w.joint) {
			c.end(id, changeOutcome{err: err})
		}
	}
}

// close ends everybody who waits, and whoever comes later, with the error.
func (c *changes) close(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = err
	}
	for id := range c.waiting {
		c.end(id, changeOutcome{err: err})
	}
}
