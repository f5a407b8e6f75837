package host

import (
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// transferPatience is how long a transfer that broke off keeps its snapshot for the next
// attempt, so that it goes on with the same one.
const transferPatience = time.Minute

// sends knows the transfers, at most one for each follower.
type sends struct {
	mu        sync.Mutex
	transfers map[protocol.MemberID]*transfer
	damaged   protocol.EntryID // a stored snapshot that could not be read
}

// transfer carries a snapshot to one follower, through broken connections, for one
// leadership. While it lives, the log keeps what follows the snapshot, within
// Options.MaxRetainedEntries: otherwise the follower would need the next snapshot when it has
// this one, and so on for ever.
type transfer struct {
	s       *snapshots
	to      protocol.MemberID
	term    protocol.Term
	answers chan *protocol.SnapshotResponse
	again   chan struct{} // capacity 1: the replica wants the snapshot once more

	// Under sends.mu.
	busy bool             // an attempt is under way
	last protocol.EntryID // of the snapshot; what the log must keep from on while it is made; zero: nothing

	file io.ReadSeekCloser // its goroutine's; nil: none is open
	meta protocol.SnapshotMeta
}

// send carries a snapshot to a follower, beside everything else.
func (s *snapshots) send(to protocol.MemberID, term protocol.Term) {
	s.sends.mu.Lock()
	defer s.sends.mu.Unlock()
	if t := s.sends.transfers[to]; t != nil && t.term == term {
		if !t.busy {
			t.busy = true
			t.again <- struct{}{}
		}
		return
	}
	t := &transfer{
		s: s, to: to, term: term, busy: true,
		answers: make(chan *protocol.SnapshotResponse, 4), again: make(chan struct{}, 1),
	}
	t.again <- struct{}{}
	s.sends.transfers[to] = t // one of an older term ends by itself
	s.h.background.Go(t.run)
}

// answer hands a follower's answer to its transfer; a late one is dropped.
func (s *sends) answer(m protocol.Message, r *protocol.SnapshotResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.transfers[m.From]; t != nil && t.term == m.Term {
		select {
		case t.answers <- r:
		default:
		}
	}
}

// oldest gives the lowest last index of the snapshots that are on their way; ok is false
// when there is none.
func (s *sends) oldest() (last protocol.Index, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.transfers {
		if t.last.Index > 0 && (!ok || t.last.Index < last) {
			last, ok = t.last.Index, true
		}
	}
	return last, ok
}

// run makes an attempt each time the replica asks for it.
func (t *transfer) run() {
	defer t.end()
	for t.awaitOrder() {
		err := t.attempt()
		if err != nil {
			t.s.h.opts.Logger.Info("a snapshot transfer ended early", "to", t.to, "reason", err.Error())
		}
		last := t.meta.Last
		t.s.sends.mu.Lock()
		t.busy = false
		t.s.sends.mu.Unlock()
		t.s.h.inbox.input(replica.SnapshotSent{To: t.to, Last: last, OK: err == nil})
		if err == nil {
			return
		}
	}
}

// awaitOrder reports false when the transfer is over.
func (t *transfer) awaitOrder() bool {
	for waited := time.Duration(0); waited < transferPatience; waited += chunkTimeout {
		select {
		case <-t.again:
			return true
		case <-t.s.stop:
			return false
		case <-time.After(chunkTimeout):
			if t.mustEnd() != nil {
				return false
			}
		}
	}
	return false
}

// end forgets the transfer, unless an order came at the last moment: then it begins anew.
func (t *transfer) end() {
	t.closeFile()
	s := &t.s.sends
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transfers[t.to] != t {
		return
	}
	delete(s.transfers, t.to)
	if t.busy {
		t.s.h.inbox.input(replica.SnapshotSent{To: t.to})
	}
}

// mustEnd gives the reason why nothing may be sent any more, or nil.
func (t *transfer) mustEnd() error {
	if t.s.h.Fault() != nil {
		return ErrFenced
	}
	if st := t.s.h.State(); st.Role != replica.Leader || st.Term != t.term {
		return errDeposed
	}
	return nil
}

// attempt sends the snapshot of the attempt before, if the log still continues it.
func (t *transfer) attempt() error {
	if t.file != nil && t.last.Index < t.s.h.opts.Log.State().Base.Index {
		t.closeFile()
	}
	if t.file == nil {
		if err := t.open(); err != nil {
			return err
		}
	}
	err := t.sendChunks()
	var damage *storage.DamageError
	if errors.As(err, &damage) {
		t.closeFile()
		t.s.sends.distrust(t.meta.Last)
	}
	return err
}

// distrust lets the next transfer begin with a snapshot of the present state.
func (s *sends) distrust(last protocol.EntryID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damaged = last
}

func (t *transfer) closeFile() {
	if t.file == nil {
		return
	}
	t.file.Close() //nolint:errcheck // it was only read
	t.file = nil
	t.pin(protocol.EntryID{})
}

func (t *transfer) pin(last protocol.EntryID) {
	t.s.sends.mu.Lock()
	defer t.s.sends.mu.Unlock()
	t.last = last
}

// openTries is how often a snapshot is looked for that the log continues.
const openTries = 3

// open opens a snapshot that the log continues. It may have to be made, which takes long:
// what the log has at the beginning is retained meanwhile, and whether that was enough is
// looked at in the end.
func (t *transfer) open() error {
	for range openTries {
		t.pin(protocol.EntryID{Index: max(1, t.s.h.opts.Log.State().Base.Index)})
		f, meta, err := t.s.open()
		if err != nil {
			t.pin(protocol.EntryID{})
			return err
		}
		t.file, t.meta = f, meta
		t.pin(meta.Last)
		if meta.Last.Index >= t.s.h.opts.Log.State().Base.Index {
			return nil
		}
		t.closeFile()
	}
	return errOutpaced
}

// open gives a snapshot that the log continues; it makes one when there is none, or only
// a damaged one.
func (s *snapshots) open() (io.ReadSeekCloser, protocol.SnapshotMeta, error) {
	s.files <- struct{}{}
	defer func() { <-s.files }()
	meta, ok, err := s.h.opts.Snapshots.Latest()
	var damage *storage.DamageError
	if errors.As(err, &damage) {
		ok, err = false, nil
	}
	if err != nil {
		return nil, meta, err
	}
	s.sends.mu.Lock()
	damaged := s.sends.damaged
	s.sends.mu.Unlock()
	if !ok || meta.Last == damaged || meta.Last.Index < s.h.opts.Log.State().Base.Index {
		if meta, err = s.fresh(); err != nil {
			return nil, meta, err
		}
		s.sends.distrust(protocol.EntryID{})
	}
	return s.h.opts.Snapshots.Open(meta.Last)
}

// fresh makes a snapshot of the present state. The log cannot tell its term: it may have been
// emptied already for a snapshot that waits to be restored.
func (s *snapshots) fresh() (protocol.SnapshotMeta, error) {
	type frozen struct {
		meta protocol.SnapshotMeta
		snap machine.Snapshot
		err  error
	}
	got := make(chan frozen, 1)
	s.h.applier.do(func(st *state) error {
		snap, err := st.freeze()
		got <- frozen{protocol.SnapshotMeta{Last: s.h.applier.last, Membership: s.h.applier.members}, snap, err}
		return err
	})
	select {
	case f := <-got:
		if f.err != nil {
			return f.meta, f.err
		}
		return f.meta, s.store(f.meta, f.snap)
	case <-s.h.applier.done:
	}
	select {
	case f := <-got:
		if f.err == nil {
			f.snap.Close() //nolint:errcheck // nothing was read from it
		}
	default:
	}
	return protocol.SnapshotMeta{}, errApplierEnded
}

var (
	errNoAnswer     = errors.New("the follower does not answer")
	errNoProgress   = errors.New("the follower refuses the same chunk again and again")
	errDeposed      = errors.New("this member does not lead any more in the term of the transfer")
	errOutpaced     = errors.New("the log is compacted faster than a snapshot is made: raise MaxRetainedEntries")
	errApplierEnded = errors.New("this member is closed or fenced, and makes no snapshot")
)

// nothing is the digest of no bytes.
var nothing = sha256.Sum256(nil)
