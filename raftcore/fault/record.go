package fault

import "time"

// Record is a fault as the sink keeps it.
type Record struct {
	Sequence      uint64 // ascending in the life of the file
	Kind          Kind
	Message       string // cut to 2 KiB on disk
	At            time.Time
	Last          time.Time // when it was noted last, or was over; in memory only
	Unrecoverable bool      // the member could not go on
	Resolved      bool      // the member ran well afterwards, or it was over
	Count         int       // how often it was noted; in memory only
	Persisted     bool      // it is on disk as it is here
}

// Fault gives the record as an error again.
func (r Record) Fault() *Fault { return &Fault{Kind: r.Kind, Message: r.Message, At: r.At} }

// entry is a Record in the sink's memory.
type entry struct {
	Record
	slot  int           // on disk; -1: none
	dirty bool          // must be written
	done  chan struct{} // closed when writing was tried for the first time
}

func newEntry(r Record) *entry {
	return &entry{Record: r, slot: -1, dirty: true, done: make(chan struct{})}
}

// tried lets the one go who waits for the entry.
func (e *entry) tried() {
	select {
	case <-e.done:
	default:
		close(e.done)
	}
}
