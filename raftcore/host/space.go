package host

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// fullness is what the host knows of the space on the log's disk. While the disk is full, a
// leader takes no commands and rather lets another one lead; reads, votes, heartbeats and
// the appends of other leaders go on. It ends by itself when there is space.
type fullness struct {
	room   atomic.Pointer[storage.Room] // as the disk was asked last; nil: never
	full   bool                         // the loop's: what the others were told
	failed atomic.Bool                  // a snapshot found no space, and there is not more by now
}

// DiskFullError refuses a command on a member whose disk is full. It is an ErrDiskFull.
type DiskFullError struct{ Room storage.Room }

// Error implements error.
func (e *DiskFullError) Error() string {
	return fmt.Sprintf("%v: %d bytes are free on the file system of %s, %d must be before commands are taken again", ErrDiskFull, e.Room.Free, e.Room.Path, e.Room.Need)
}

// Is reports whether the target is ErrDiskFull.
func (e *DiskFullError) Is(target error) bool { return target == ErrDiskFull }

// watchSpace asks the log's disk from time to time. It is not the loop's, since a disk that
// hangs does not answer.
func (h *Host) watchSpace(s storage.Space) {
	tick := time.NewTicker(h.opts.SpaceInterval)
	defer tick.Stop()
	for {
		h.askSpace(s)
		select {
		case <-h.stop:
			return
		case <-tick.C:
		}
	}
}

func (h *Host) askSpace(s storage.Space) {
	r, err := s.Room()
	if err != nil {
		h.opts.Logger.Info("the disk does not tell how full it is", "reason", err.Error())
		return
	}
	if h.space.failed.Load() {
		r.Full = r.Full || r.Free < r.Need
		h.space.failed.Store(r.Full)
	}
	before := h.space.room.Swap(&r)
	if before == nil || before.Full != r.Full || before.Waiting != r.Waiting {
		h.onLoop(func() { h.tellSpace(r) })
	}
}

// tellSpace is the loop's.
func (h *Host) tellSpace(r storage.Room) {
	was := h.space.full
	h.space.full = r.Full
	h.setFitness(forSpace, worse(r.Full, replica.Unfit))
	switch {
	case r.Full:
		what := "it takes no new commands"
		if r.Waiting {
			what = "it takes and acknowledges nothing"
		}
		h.ailing(fault.New(fault.DiskFull, time.Now(), nil, "%s has %d bytes free, and must have %d again; until then %s", r.Path, r.Free, r.Need, what))
	case was:
		h.recovered(fault.DiskFull)
		h.opts.Logger.Info("the disk has space again", "free", r.Free)
	}
}

// Room tells how full the log's disk was when it was asked last; ok is false when that is
// not known.
func (h *Host) Room() (r storage.Room, ok bool) {
	if p := h.space.room.Load(); p != nil {
		return *p, true
	}
	return storage.Room{}, false
}

// refusesForSpace reports whether this member leads and takes no commands because its disk
// is full.
func (h *Host) refusesForSpace() bool { return h.space.full && h.State().Role == replica.Leader }

// diskFull is what a client of this member hears.
func (h *Host) diskFull() error {
	r, _ := h.Room()
	return &DiskFullError{r}
}

// refuseForward answers commands that another member has forwarded to this one, which has no
// space for them; false when they are to be taken.
func (h *Host) refuseForward(m protocol.Message) bool {
	f, ok := m.Body.(*protocol.Forward)
	if !ok || m.Term != h.State().Term || !h.refusesForSpace() || h.Fault() != nil {
		return false
	}
	h.outbox = append(h.outbox, protocol.Message{From: h.opts.ID, To: m.From, Term: m.Term, Body: &protocol.ForwardRefused{ID: f.ID, Reason: protocol.DiskFull}})
	return true
}

// snapshotFailed is called when a snapshot cannot be written. Without space the member goes
// on without it, and it is tried again.
func (h *Host) snapshotFailed(what string, err error) (goesOn bool) {
	if s, ok := h.opts.Log.(storage.Space); ok && storage.NoSpace(err) {
		h.opts.Logger.Info("no space", "for", what, "reason", err.Error())
		h.space.failed.Store(true)
		h.askSpace(s)
		return true
	}
	h.storageFailed(what, err)
	return false
}
