package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// A serial group has at most one client command in flight: appended and not applied yet
// at the leader, who answers its client then. There is no flag that somebody could
// forget to release: a command is in flight while the state machine has not come to
// r.lastCommand. A reply releases by Applied; a new leader begins with what it
// inherited; and whoever does not lead takes nothing.

// inheritCommands finds the last command that a new leader has from its predecessors. Of
// entries that memory does not hold the kind is not known: they count as commands.
func (r *Replica) inheritCommands() {
	if !r.cfg.Serial {
		return
	}
	r.lastCommand = min(r.log.first-1, r.log.last)
	for i := len(r.log.tail) - 1; i >= 0; i-- {
		if e := r.log.tail[i]; e.Kind == protocol.EntryCommand {
			r.lastCommand = e.Index
			return
		}
	}
}

// serialRoom gives how many of n commands a serial group takes now.
func (r *Replica) serialRoom(kind protocol.EntryKind, n int) int {
	switch {
	case !r.cfg.Serial || kind != protocol.EntryCommand:
		return n
	case r.commandInFlight():
		return 0
	}
	return min(n, 1)
}

func (r *Replica) commandInFlight() bool {
	return r.lastCommand > r.applied || r.cfg.Mutation.Has(mutation.SerialNeverReleased) && r.lastCommand != 0
}
