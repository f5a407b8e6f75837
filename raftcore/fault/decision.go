package fault

import "fmt"

// Decision is what the embedder wants after a fault that the member cannot go on
// with. The member is fenced already, whatever the decision is.
type Decision uint8

// The decisions.
const (
	// Hold keeps the process, so that it can tell what is wrong. The zero value:
	// an embedder that does not know better keeps the evidence.
	Hold Decision = iota
	// Die ends the process: whoever started it may start it again.
	Die
	// RestartMember lets the embedder set the member up anew in the same process.
	RestartMember
)

// String gives the decision's name.
func (d Decision) String() string {
	switch d {
	case Hold:
		return "Hold"
	case Die:
		return "Die"
	case RestartMember:
		return "Restart"
	}
	return fmt.Sprintf("Decision(%d)", uint8(d))
}

// OnUnrecoverable is asked once, after the fault was saved and the member fenced, from
// a goroutine of its own.
type OnUnrecoverable func(*Fault) Decision
