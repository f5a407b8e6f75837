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
