package host

import (
	"slices"
	"time"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// recordIncarnations is called by the loop at each tick. It proposes, as a leader, what is not
// recorded yet; whether this is the moment for a change the replica says, and nobody waits for
// the answer: what was refused is asked for again.
func (h *Host) recordIncarnations(now time.Time) {
	if !h.opts.RecordIncarnations || h.State().Role != replica.Leader || now.Before(h.recordAt) || !h.unrecorded() {
		return
	}
	h.recordAt = now.Add(h.opts.HeartbeatInterval)
	if heard := h.replica.Status().Unrecorded(h.opts.Incarnation); len(heard) > 0 {
		h.step(replica.Change{Change: membership.Change{Update: heard}}) // no client's change has the ID 0
	}
}

// unrecorded reports whether a member's volume is not recorded in the membership. One that is
// alone has nobody who could keep another volume out.
func (h *Host) unrecorded() bool {
	ms := h.Membership().Members
	return len(ms) > 1 && slices.ContainsFunc(ms, func(m protocol.Member) bool { return m.Incarnation == 0 })
}
