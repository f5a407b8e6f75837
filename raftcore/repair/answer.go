package repair

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Found says what a member's log can tell of an asked entry.
type Found uint8

// What can be found.
const (
	Absent  Found = iota // it does not have the entry, and never will again
	Present              // here it is
	Unsure               // it has an entry there but cannot read it now: ask again later
)

// Answer gives the answer to a request. read gives what the log holds at an asked index, its
// checksums verified. The answer's entries fit into maxBytes (by Entry.Size), but for
// the first one. bugs are deliberate, for tests of the tests.
func Answer(ask *protocol.RepairRequest, read func(protocol.EntryID) (protocol.Entry, Found), maxBytes int, bugs mutation.Set) *protocol.RepairResponse {
	answer := &protocol.RepairResponse{}
	size := 0
	for _, id := range ask.Entries {
		e, found := read(id)
		if found == Present && bugs.Has(mutation.RepairWithoutTermCheck) {
			e.Term = id.Term
		}
		switch {
		case found == Unsure:
		case found == Absent || e.ID() != id:
			answer.Missing = append(answer.Missing, id)
		case size+e.Size() > maxBytes && len(answer.Entries) > 0:
			return answer
		default:
			answer.Entries = append(answer.Entries, e)
			size += e.Size()
		}
	}
	return answer
}
