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
	if heard := heardVolumes(h.replica.Status(), h.opts.Incarnation); len(heard) > 0 {
		h.step(replica.Change{Change: membership.Change{Update: heard}}) // no client's change has the ID 0
	}
}

// unrecorded reports whether a member's volume is not recorded in the membership. One that is
// alone has nobody who could keep another volume out.
func (h *Host) unrecorded() bool {
	ms := h.Membership().Members
	return len(ms) > 1 && slices.ContainsFunc(ms, func(m protocol.Member) bool { return m.Incarnation == 0 })
}

// heardVolumes gives the members that have no volume recorded with the one that the leader
// has heard. They are none until all such voters were heard, so that a new group gets one entry.
//
// Of two volumes that were heard in its term the first counts: the leader may have counted
// what that one had acknowledged, and the second has come up without it.
func heardVolumes(s replica.Status, own protocol.Incarnation) (heard []protocol.Member) {
	volumes := map[protocol.MemberID]protocol.Incarnation{s.ID: own}
	for _, f := range s.Followers {
		volumes[f.ID] = f.Volume
	}
	for _, m := range s.Membership.Members {
		if m.Incarnation != 0 || m.Address == "" {
			continue
		}
		if m.Incarnation = volumes[m.ID]; m.Incarnation != 0 {
			heard = append(heard, m)
		} else if m.Suffrage == protocol.Voter {
			return nil
		}
	}
	return heard
}
