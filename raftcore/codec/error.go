package codec

import (
	"errors"
	"fmt"
)

// The reasons that callers tell apart, found with errors.Is.
var (
	// ErrNewerVersion tells that a newer release wrote the value. The bytes are whole: an
	// upgraded node can read them.
	ErrNewerVersion = errors.New("written by a newer version")
	// ErrUnknownKind tells that the kind of the message, entry or suffrage is not
	// known here. Most likely a newer release wrote it.
	ErrUnknownKind = errors.New("unknown kind")
)

// Error tells that a value could not be encoded or decoded.
type Error struct {
	Op     string // what was tried, as in "decode message"
	Format string // Serializer.Name
	Offset int    // of the fault within the bytes, or -1 when it has no place
	Reason string // what was wrong and, where something can be done, what
	Err    error  // ErrNewerVersion, ErrUnknownKind, the msgpack library's error, or nil
}

// Error implements error.
func (e *Error) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s (%s): %s", e.Op, e.Format, e.Reason)
	}
	return fmt.Sprintf("%s (%s) at byte %d: %s", e.Op, e.Format, e.Offset, e.Reason)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
