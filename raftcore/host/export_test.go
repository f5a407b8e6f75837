package host

import "github.com/quorate/quorate/raftcore/protocol"

// FreshSnapshot makes a snapshot as for a transfer that finds none.
func (h *Host) FreshSnapshot() (protocol.EntryID, error) { return h.snapshots.fresh() }
