package codec

import "github.com/quorate/quorate/raftcore/protocol"

// bodySize bounds what the lists and payloads in a body take; what is beside them is in
// bodyBound.
func bodySize(b protocol.Body) int {
	n := 0
	switch b := b.(type) {
	case *protocol.AppendRequest:
		for i := range b.Entries {
			n += len(b.Entries[i].Payload) + entryBound
		}
	case *protocol.SnapshotRequest:
		n = len(b.Data) + membershipSize(&b.Meta.Membership)
	case *protocol.Forward:
		for _, p := range b.Payloads {
			n += len(p) + 5
		}
	}
	return n
}

// body gives false for a body that is not one of package protocol's.
func (w *writer) body(b protocol.Body) bool {
	switch b := b.(type) {
	case *protocol.AppendRequest:
		w.appendRequest(b)
	case *protocol.AppendResponse:
		w.appendResponse(b)
	case *protocol.PreVoteRequest:
		w.array(2)
		w.entryID(b.Last)
	case *protocol.PreVoteResponse:
		w.array(1)
		w.bool(b.Granted)
	case *protocol.VoteRequest:
		w.array(3)
		w.entryID(b.Last)
		w.bool(b.Transfer)
	case *protocol.VoteResponse:
		w.array(1)
		w.bool(b.Granted)
	case *protocol.TimeoutNow:
		w.array(0)
	case *protocol.ReadRequest:
		w.array(1)
		w.uint(b.ID)
	case *protocol.ReadResponse:
		w.array(3)
		w.uint(b.ID)
		w.uint(uint64(b.Index))
		w.bool(b.Rejected)
	default:
		return w.bulkBody(b)
	}
	return true
}

// bulkBody appends the bodies that carry data and are rare, or are not small.
func (w *writer) bulkBody(b protocol.Body) bool {
	switch b := b.(type) {
	case *protocol.SnapshotRequest:
		w.snapshotRequest(b)
	case *protocol.SnapshotResponse:
		w.array(4)
		w.entryID(b.Last)
		w.int(b.Offset)
		w.bool(b.Rejected)
	case *protocol.Forward:
		w.array(1)
		w.array(len(b.Payloads))
		for _, p := range b.Payloads {
			w.bytes(p)
		}
	default:
		return false
	}
	return true
}

func (w *writer) appendRequest(b *protocol.AppendRequest) {
	w.array(5)
	w.entryID(b.Prev)
	w.uint(uint64(b.Commit))
	w.uint(b.Round)
	w.array(len(b.Entries))
	for i := range b.Entries {
		w.array(4)
		w.entryFields(&b.Entries[i])
	}
}

func (w *writer) appendResponse(b *protocol.AppendResponse) {
	w.array(7)
	w.bool(b.Rejected)
	w.uint(uint64(b.Match))
	w.entryID(b.Hint)
	w.uint(b.Round)
	w.uint(uint64(b.Incarnation))
	w.uint(uint64(b.Boot))
}

func (w *writer) snapshotRequest(b *protocol.SnapshotRequest) {
	w.array(5)
	w.array(5)
	w.entryID(b.Meta.Last)
	w.membershipFields(&b.Meta.Membership)
	w.int(b.Meta.Size)
	w.int(b.Offset)
	w.bytes(b.Data)
	w.uint(uint64(b.Checksum))
	w.bool(b.Done)
}
