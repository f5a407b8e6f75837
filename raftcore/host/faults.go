package host

import (
	"errors"
	"time"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/storage"
)

// fail fences the member for good: the fault is reported, every client is let go,
// nothing is sent or acknowledged from now on, and the embedder decides what
// becomes of the process. Only the first fault counts.
func (h *Host) fail(f *fault.Fault) {
	if !h.fault.CompareAndSwap(nil, f) {
		return
	}
	h.gate.close()
	h.waiters.close(ErrFenced)
	h.reads.close(ErrFenced)
	h.changes.close(ErrFenced)
	h.opts.Logger.Error(f, "this member is fenced", "fault", f.Kind, "remedy", f.Kind.Remedy())
	h.deciding.Go(func() { h.decide(f) })
}

// decide runs apart from the goroutine that met the fault, which may hold locks of
// the log or the transport.
func (h *Host) decide(f *fault.Fault) {
	if h.opts.Faults != nil {
		h.opts.Faults.Report(f)
	}
	d := fault.Hold
	if h.opts.OnUnrecoverable != nil {
		d = h.opts.OnUnrecoverable(f)
	}
	h.decision.Store(uint32(d))
	if d != fault.Hold {
		h.end(ErrFenced)
	}
}

// storageFailed is called by the persister: nothing it was asked for since is
// durable.
func (h *Host) storageFailed(what string, err error) {
	if errors.Is(err, storage.ErrClosed) {
		return
	}
	kind := fault.FsyncFailed
	if storage.NoSpace(err) {
		kind = fault.DiskFull
	}
	h.fail(fault.New(kind, time.Now(), err, "%s", what))
}

// readFailed is called when the log cannot give entries.
func (h *Host) readFailed(err error) {
	var damage *storage.DamageError
	switch {
	case errors.Is(err, storage.ErrCompacted), errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed):
	case errors.As(err, &damage) && h.repairable(damage):
		h.suspect()
	case errors.As(err, &damage):
		h.fail(fault.New(fault.LogCorrupt, time.Now(), err, "reading the log"))
	default:
		h.fail(fault.New(fault.FsyncFailed, time.Now(), err, "reading the log"))
	}
}

func (h *Host) applyFailed(err error) {
	h.fail(fault.New(MachineFault(err), time.Now(), err, "applying entries after %d", h.Applied()))
}

// MachineFault is the kind of fault that a state machine's error is, also when it is opened.
func MachineFault(err error) fault.Kind {
	if errors.Is(err, machine.ErrNewer) {
		return fault.ConfigInvalid
	}
	return fault.ApplyFailed
}

// repairable reports whether the log has damage on its list, which other members repair.
func (h *Host) repairable(d *storage.DamageError) bool {
	for _, id := range h.opts.Log.Damaged() {
		if id.Index == d.Index {
			return true
		}
	}
	return false
}
