package host

import (
	"errors"

	"github.com/quorate/quorate/raftcore/session"
)

// The errors that clients of a Host see. Whether a proposal that ends with a context's
// error took effect is not known.
var (
	// ErrNoLeader tells that no leader is known; nothing happened, try again.
	ErrNoLeader = errors.New("no leader is known")
	// ErrOverloaded tells that too much is not committed or applied yet; nothing happened,
	// try again later.
	ErrOverloaded = errors.New("too many bytes wait to be committed and applied")
	// ErrInFlight tells that the group is serial and another command is in flight; nothing
	// happened, try again.
	ErrInFlight = errors.New("the group is serial, and another command is in flight")
	// ErrDiskFull tells that the leader's disk is full; nothing happened. See DiskFullError.
	ErrDiskFull = errors.New("the leader's disk is full")
	// ErrFenced tells that this member has an unrecoverable fault and serves nothing.
	ErrFenced = errors.New("this member is fenced after an unrecoverable fault")
	// ErrRemoved tells that this member was removed from the group and serves nothing. Where
	// it ends a command, nothing happened.
	ErrRemoved = errors.New("this member was removed from the group")
	// ErrClosed tells that the host was closed.
	ErrClosed = errors.New("this member is closed")
	// ErrUnknown tells that the command may or may not have taken effect.
	ErrUnknown = errors.New("this member cannot tell whether the command took effect")
	// ErrTooLarge tells that a command is larger than Options.MaxCommandBytes.
	ErrTooLarge = errors.New("the command is too large")
	// ErrSessionBusy tells that a command of the session is in flight: wait for its answer.
	ErrSessionBusy = errors.New("a command of the session is in flight")
	// ErrSessionExpired tells that the session has expired or never was: open another one.
	// A command that was not answered before may have taken effect.
	ErrSessionExpired = session.ErrExpired
	// ErrSessionStale tells that the session has gone on with later commands.
	ErrSessionStale = session.ErrStale
	// ErrSessionGap tells that a serial is not the next one of its session.
	ErrSessionGap = session.ErrGap
	// ErrAnswerTooLarge tells that a command in a session took effect, once, and that its
	// answer is larger than Options.MaxAnswerBytes.
	ErrAnswerTooLarge = session.ErrAnswerTooLarge
)
