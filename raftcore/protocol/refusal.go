package protocol

import "fmt"

// RefusalReason says why a proposal was not taken. The values go over the wire: they
// never change.
type RefusalReason uint8

// The reasons.
const (
	NoLeader     RefusalReason = 1 // no leader is known; try again
	Overloaded   RefusalReason = 2 // too much is not committed, durable or applied yet; try again later
	Transferring RefusalReason = 3 // the leader hands over; try again
	InFlight     RefusalReason = 4 // the group is serial, and a command is in flight; try again
	DiskFull     RefusalReason = 5 // the leader's disk is full; free space
)

// String gives the reason's name.
func (r RefusalReason) String() string {
	switch r {
	case NoLeader:
		return "NoLeader"
	case Overloaded:
		return "Overloaded"
	case Transferring:
		return "Transferring"
	case InFlight:
		return "InFlight"
	case DiskFull:
		return "DiskFull"
	}
	return fmt.Sprintf("RefusalReason(%d)", uint8(r))
}
