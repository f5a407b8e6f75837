package memlog

import (
	"fmt"
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

var _ storage.Log = (*Log)(nil)

// Log is a storage.Log in memory. Its own goroutine makes queued writes durable, all
// that are queued at once, unless it was told to hold them back.
type Log struct {
	wake  chan struct{} // holds one token: the state has changed
	ended chan struct{}

	mu    sync.Mutex
	state logState
}

type logState struct {
	now     Sequence // queued writes included
	durable Sequence
	queue   []operation
	held    bool
	closed  bool
	lost    bool  // Reopen has taken the log over
	err     error // of the disk; it sticks
}

// operation is one queued write. done is nil for a compaction, which nobody waits for.
type operation struct {
	do   func(*Sequence)
	done func(error)
}

// NewLog gives an empty log.
func NewLog() *Log { return newLog(Sequence{}) }

func newLog(s Sequence) *Log {
	l := &Log{wake: make(chan struct{}, 1), ended: make(chan struct{}), state: logState{now: s.Clone(), durable: s}}
	go l.write()
	return l
}

// Hold keeps what is queued from now on from becoming durable, until Release.
func (l *Log) Hold() { l.change(func(s *logState) { s.held = true }) }

// Release ends Hold.
func (l *Log) Release() { l.change(func(s *logState) { s.held = false }) }

// Fail makes the disk refuse every write that is not durable yet, for ever.
func (l *Log) Fail(err error) { l.change(func(s *logState) { s.err = err }) }

// Damage spoils the record of a durable entry: Read and Damaged tell at once, as if
// somebody had read the record already.
func (l *Log) Damage(i protocol.Index) {
	l.change(func(s *logState) {
		s.now.Damage(i)
		s.durable.Damage(i)
	})
}

// Reopen gives the log that the member's next process finds: what was durable. Writes
// that are still queued are lost and their done functions never called, as in a crash.
func (l *Log) Reopen() *Log {
	var durable Sequence
	l.change(func(s *logState) {
		s.closed, s.lost, s.held, s.queue = true, true, false, nil
		durable = s.durable.Clone()
	})
	return newLog(durable)
}

// State implements storage.Log.
func (l *Log) State() protocol.LogState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.now.State()
}

// Append implements storage.Log.
func (l *Log) Append(entries []protocol.Entry, done func(error)) {
	l.enqueue(func(s *Sequence) { s.Insert(entries) }, done)
}

// Reset implements storage.Log.
func (l *Log) Reset(base protocol.EntryID, configuration []byte, done func(error)) {
	l.enqueue(func(s *Sequence) { s.Reset(base, configuration) }, done)
}

func (l *Log) enqueue(do func(*Sequence), done func(error)) {
	l.change(func(s *logState) {
		switch {
		case s.lost: // the process is dead
		case s.closed:
			go done(storage.ErrClosed)
		default:
			do(&s.now)
			s.queue = append(s.queue, operation{do, done})
		}
	})
}

// Read implements storage.Log.
func (l *Log) Read(lo, hi protocol.Index, maxBytes int) ([]protocol.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.state
	switch {
	case s.closed:
		return nil, storage.ErrClosed
	case lo <= s.now.Base().Index:
		return nil, fmt.Errorf("reading entry %d of a log that begins after %d: %w", lo, s.now.Base().Index, storage.ErrCompacted)
	case hi > s.now.Last().Index || hi < lo:
		return nil, fmt.Errorf("reading entries %d to %d of a log that ends at %d: %w", lo, hi, s.now.Last().Index, storage.ErrUnavailable)
	}
	es := s.now.Read(lo, hi, maxBytes)
	if len(es) == 0 {
		term, _ := s.now.Term(lo)
		return nil, &storage.DamageError{File: "memory", Index: lo, Term: term, Reason: "a test has damaged it"}
	}
	return es, nil
}

// Damaged implements storage.Log.
func (l *Log) Damaged() []protocol.EntryID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.now.Damaged()
}

// Repair implements storage.Log.
func (l *Log) Repair(e protocol.Entry, done func(error)) {
	l.change(func(s *logState) {
		switch err := s.now.repairs(e); {
		case s.lost: // the process is dead
		case s.closed:
			go done(storage.ErrClosed)
		case err != nil:
			go done(err)
		default:
			s.queue = append(s.queue, operation{func(d *Sequence) {
				d.Repair(e)     //nolint:errcheck // it may have been cut off meanwhile
				s.now.Repair(e) //nolint:errcheck // likewise
			}, done})
		}
	})
}

// Compact implements storage.Log.
func (l *Log) Compact(upTo protocol.Index) (err error) {
	l.change(func(s *logState) {
		switch last := s.now.Last().Index; {
		case s.closed:
			err = storage.ErrClosed
		case upTo > last:
			err = fmt.Errorf("compacting up to %d a log that ends at %d: %w", upTo, last, storage.ErrUnavailable)
		default:
			s.now.Compact(upTo)
			s.queue = append(s.queue, operation{do: func(d *Sequence) { d.Compact(upTo) }})
		}
	})
	return err
}

// Close implements storage.Log. It also ends Hold.
func (l *Log) Close() error {
	l.change(func(s *logState) { s.closed, s.held = true, false })
	<-l.ended
	return nil
}

func (l *Log) change(f func(*logState)) {
	l.mu.Lock()
	f(&l.state)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// write is the log's own goroutine.
func (l *Log) write() {
	defer close(l.ended)
	for range l.wake {
		batch, closed, err := l.sync()
		for _, op := range batch {
			if op.done != nil {
				op.done(err)
			}
		}
		if closed {
			return
		}
	}
}

// sync makes everything queued durable, or nothing of it.
func (l *Log) sync() (batch []operation, closed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.state
	if s.held {
		return nil, false, nil
	}
	batch, s.queue = s.queue, nil
	for _, op := range batch {
		if s.err == nil {
			op.do(&s.durable)
		}
	}
	return batch, s.closed, s.err
}
