package host

import (
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Status is a consistent view of the member.
type Status struct {
	replica.Status
	Applied  protocol.Index // what the state machine has
	Fault    *fault.Fault   // nil: not fenced
	Ailments []*fault.Fault // what the member lives with, until it ends by itself
	Disk     DiskHealth
}

// Status asks the loop. After the host has ended it gives the last state.
func (h *Host) Status() Status {
	var s replica.Status
	asked := make(chan struct{})
	h.inbox.put(func(w *work) {
		w.calls = append(w.calls, func(r *replica.Replica) { s = r.Status(); close(asked) })
	})
	select {
	case <-asked:
	case <-h.loopDone:
		// The loop took the call with its last breath, or nobody runs it any more.
		select {
		case <-asked:
		default:
			s = h.replica.Status()
		}
	}
	return Status{Status: s, Applied: h.Applied(), Fault: h.Fault(), Ailments: h.Ailments(), Disk: h.DiskHealth()}
}

// Ailments gives the faults that this member lives with: it repairs damage of its log from
// the other members, or waits for space on its disk. They end by themselves.
func (h *Host) Ailments() []*fault.Fault { return h.ailments.all() }
