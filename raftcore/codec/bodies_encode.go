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
		n = len(b.Data) + len(b.Prefix) + membershipSize(&b.Meta.Membership)
	case *protocol.SnapshotResponse:
		n = len(b.Digest)
	case *protocol.Forward:
		for _, p := range b.Payloads {
			n += len(p) + 5
		}
	case *protocol.RepairRequest:
		n = len(b.Entries) * entryIDBound
	case *protocol.RepairResponse:
		for i := range b.Entries {
			n += len(b.Entries[i].Payload) + entryBound
		}
		n += len(b.Missing) * entryIDBound
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
		w.vote(b.Granted, b.Incarnation)
	case *protocol.VoteRequest:
		w.array(3)
		w.entryID(b.Last)
		w.bool(b.Transfer)
	case *protocol.VoteResponse:
		w.vote(b.Granted, b.Incarnation)
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
		w.array(5)
		w.entryID(b.Last)
		w.int(b.Offset)
		w.bool(b.Rejected)
		w.bytes(b.Digest)
	case *protocol.Forward:
		w.array(3)
		w.array(len(b.Payloads))
		for _, p := range b.Payloads {
			w.bytes(p)
		}
		w.uint(b.ID)
		w.uint(uint64(b.As))
	case *protocol.ForwardRefused:
		w.array(3)
		w.uint(b.ID)
		w.uint(uint64(b.Taken))
		w.uint(uint64(b.Reason))
	case *protocol.Resigned:
		w.array(0)
	case *protocol.RepairRequest:
		w.array(1)
		w.entryIDs(b.Entries)
	case *protocol.RepairResponse:
		w.array(2)
		w.entries(b.Entries)
		w.entryIDs(b.Missing)
	default:
		return false
	}
	return true
}

func (w *writer) vote(granted bool, i protocol.Incarnation) {
	w.array(2)
	w.bool(granted)
	w.uint(uint64(i))
}

func (w *writer) appendRequest(b *protocol.AppendRequest) {
	w.array(5)
	w.entryID(b.Prev)
	w.uint(uint64(b.Commit))
	w.uint(b.Round)
	w.entries(b.Entries)
}

func (w *writer) entries(es []protocol.Entry) {
	w.array(len(es))
	for i := range es {
		w.array(4)
		w.entryFields(&es[i])
	}
}

func (w *writer) entryIDs(ids []protocol.EntryID) {
	w.array(len(ids))
	for _, id := range ids {
		w.array(2)
		w.entryID(id)
	}
}

func (w *writer) appendResponse(b *protocol.AppendResponse) {
	w.array(8)
	w.bool(b.Rejected)
	w.uint(uint64(b.Match))
	w.entryID(b.Hint)
	w.uint(b.Round)
	w.uint(uint64(b.Incarnation))
	w.uint(uint64(b.Boot))
	w.bool(b.Unfit)
}

func (w *writer) snapshotRequest(b *protocol.SnapshotRequest) {
	w.array(6)
	w.array(6)
	w.entryID(b.Meta.Last)
	w.membershipFields(&b.Meta.Membership)
	w.int(b.Meta.Size)
	w.uint(uint64(b.Meta.Membership.Highest))
	w.int(b.Offset)
	w.bytes(b.Data)
	w.uint(uint64(b.Checksum))
	w.bool(b.Done)
	w.bytes(b.Prefix)
}
