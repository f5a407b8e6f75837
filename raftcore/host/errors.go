package host

import "errors"

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
	// ErrFenced tells that this member has an unrecoverable fault and serves nothing.
	ErrFenced = errors.New("this member is fenced after an unrecoverable fault")
	// ErrClosed tells that the host was closed.
	ErrClosed = errors.New("this member is closed")
	// ErrUnknown tells that the command may or may not have taken effect.
	ErrUnknown = errors.New("this member cannot tell whether the command took effect")
	// ErrTooLarge tells that a command is larger than Options.MaxCommandBytes.
	ErrTooLarge = errors.New("the command is too large")
)
