package host

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/session"
)

// Sessions gives the member's table of sessions at present.
func (h *Host) Sessions() session.Image {
	got := make(chan session.Image, 1)
	h.applier.do(func(s *state) error {
		got <- s.table.Freeze()
		return nil
	})
	return <-got
}

// FreshSnapshot makes a snapshot as for a transfer that finds none.
func (h *Host) FreshSnapshot() (protocol.EntryID, error) {
	meta, err := h.snapshots.fresh()
	return meta.Last, err
}

// Queued gives the bytes that wait in this member: messages and commands for the loop, those
// for the disk, and entries for the state machine.
func (h *Host) Queued() (inbox, gate, apply int) {
	h.inbox.mu.Lock()
	inbox = h.inbox.work.bytes + h.inbox.work.queued
	h.inbox.mu.Unlock()
	h.gate.mu.Lock()
	gate = h.gate.bytes
	h.gate.mu.Unlock()
	h.applier.mu.Lock()
	for _, t := range h.applier.queue {
		apply += protocol.Size(t.entries)
	}
	h.applier.mu.Unlock()
	return inbox, gate, apply
}
