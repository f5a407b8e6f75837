package codec

import "github.com/quorate/quorate/raftcore/protocol"

// body reads the body of the kind; nil after a fault.
func (r *reader) body(k protocol.MessageKind) protocol.Body {
	if r.err != nil {
		return nil
	}
	switch k {
	case protocol.KindAppendRequest:
		return r.appendRequest()
	case protocol.KindAppendResponse:
		return r.appendResponse()
	case protocol.KindPreVoteRequest:
		return r.preVoteRequest()
	case protocol.KindPreVoteResponse:
		granted, i := r.vote("PreVoteResponse")
		return &protocol.PreVoteResponse{Granted: granted, Incarnation: i}
	case protocol.KindVoteRequest:
		return r.voteRequest()
	case protocol.KindVoteResponse:
		granted, i := r.vote("VoteResponse")
		return &protocol.VoteResponse{Granted: granted, Incarnation: i}
	case protocol.KindSnapshotRequest:
		return r.snapshotRequest()
	case protocol.KindSnapshotResponse:
		return r.snapshotResponse()
	case protocol.KindTimeoutNow:
		r.skip(r.fields("TimeoutNow", 0))
		return &protocol.TimeoutNow{}
	case protocol.KindReadRequest:
		return r.readRequest()
	case protocol.KindReadResponse:
		return r.readResponse()
	case protocol.KindForward:
		return r.forward()
	case protocol.KindForwardRefused:
		return r.forwardRefused()
	case protocol.KindResigned:
		r.skip(r.fields("Resigned", 0))
		return &protocol.Resigned{}
	case protocol.KindRepairRequest:
		n := r.fields("RepairRequest", 1)
		b := &protocol.RepairRequest{Entries: r.entryIDs("entries")}
		r.skip(n - 1)
		return b
	case protocol.KindRepairResponse:
		n := r.fields("RepairResponse", 2)
		b := &protocol.RepairResponse{Entries: r.entries(), Missing: r.entryIDs("missing")}
		r.skip(n - 2)
		return b
	}
	ks := protocol.MessageKinds()
	r.fail(ErrUnknownKind, "message kind %d; this node knows %d to %d: upgrade it", k, ks[0], ks[len(ks)-1])
	return nil
}

func (r *reader) appendRequest() protocol.Body {
	n := r.fields("AppendRequest", 5)
	b := &protocol.AppendRequest{
		Prev:   r.entryID("prev"),
		Commit: protocol.Index(r.uint64("commit")),
		Round:  r.uint64("round"),
	}
	b.Entries = r.entries()
	r.skip(n - 5)
	return b
}

func (r *reader) entries() []protocol.Entry {
	const entryMin = 6 // array header, kind, term, index, header of an empty payload
	c := r.elements("entries", entryMin)
	if c == 0 {
		return nil
	}
	es := make([]protocol.Entry, c)
	for i := range es {
		r.entry(&es[i])
	}
	return es
}

func (r *reader) entry(e *protocol.Entry) {
	n := r.fields("entry", 4)
	r.entryFields(e)
	r.skip(n - 4)
}

func (r *reader) appendResponse() protocol.Body {
	n := r.fields("AppendResponse", 7)
	b := &protocol.AppendResponse{
		Rejected:    r.bool("rejected"),
		Match:       protocol.Index(r.uint64("match")),
		Hint:        r.entryID("hint"),
		Round:       r.uint64("round"),
		Incarnation: protocol.Incarnation(r.uint64("incarnation")),
		Boot:        protocol.Boot(r.uint64("boot")),
	}
	n -= 7
	if n > 0 {
		b.Unfit = r.bool("unfit")
		n--
	}
	r.skip(n)
	return b
}

func (r *reader) preVoteRequest() protocol.Body {
	n := r.fields("PreVoteRequest", 2)
	b := &protocol.PreVoteRequest{Last: r.entryID("last")}
	r.skip(n - 2)
	return b
}

func (r *reader) voteRequest() protocol.Body {
	n := r.fields("VoteRequest", 3)
	b := &protocol.VoteRequest{Last: r.entryID("last"), Transfer: r.bool("transfer")}
	r.skip(n - 3)
	return b
}

// granted reads a body whose only field is whether the vote was given.
func (r *reader) vote(what string) (granted bool, i protocol.Incarnation) {
	n := r.fields(what, 1)
	granted = r.bool("granted")
	if n--; n > 0 {
		i = protocol.Incarnation(r.uint64("incarnation"))
		n--
	}
	r.skip(n)
	return granted, i
}

func (r *reader) snapshotRequest() protocol.Body {
	n := r.fields("SnapshotRequest", 5) - 5
	b := &protocol.SnapshotRequest{
		Meta:     r.snapshotMeta(),
		Offset:   r.int64("offset"),
		Data:     r.bytes("data"),
		Checksum: uint32(r.uint("checksum", 1<<32-1)),
		Done:     r.bool("done"),
	}
	if n > 0 {
		b.Prefix = r.bytes("prefix")
		n--
	}
	r.skip(n)
	return b
}

func (r *reader) snapshotMeta() protocol.SnapshotMeta {
	n := r.fields("SnapshotMeta", 5)
	m := protocol.SnapshotMeta{
		Last:       r.entryID("last"),
		Membership: r.membershipFields(),
		Size:       r.int64("size"),
	}
	r.skip(r.membershipRest(&m.Membership, n-5))
	return m
}

func (r *reader) snapshotResponse() protocol.Body {
	n := r.fields("SnapshotResponse", 4) - 4
	b := &protocol.SnapshotResponse{
		Last:     r.entryID("last"),
		Offset:   r.int64("offset"),
		Rejected: r.bool("rejected"),
	}
	if n > 0 {
		b.Digest = r.bytes("digest")
		n--
	}
	r.skip(n)
	return b
}

func (r *reader) readRequest() protocol.Body {
	n := r.fields("ReadRequest", 1)
	b := &protocol.ReadRequest{ID: r.uint64("ID")}
	r.skip(n - 1)
	return b
}

func (r *reader) readResponse() protocol.Body {
	n := r.fields("ReadResponse", 3)
	b := &protocol.ReadResponse{
		ID:       r.uint64("ID"),
		Index:    protocol.Index(r.uint64("index")),
		Rejected: r.bool("rejected"),
	}
	r.skip(n - 3)
	return b
}

func (r *reader) forward() protocol.Body {
	const payloadMin = 2 // header of an empty payload
	n := r.fields("Forward", 1)
	b := &protocol.Forward{}
	if c := r.elements("payloads", payloadMin); c > 0 {
		b.Payloads = make([][]byte, c)
		for i := range b.Payloads {
			b.Payloads[i] = r.bytes("payload")
		}
	}
	n--
	if n > 0 {
		b.ID = r.uint64("ID")
		n--
	}
	if n > 0 {
		b.As = protocol.EntryKind(r.uint("entry kind", 0xff))
		n--
	}
	if r.err == nil && b.As != 0 && b.As != protocol.EntryCommand && b.As != protocol.EntrySession {
		r.fail(ErrUnknownKind, "entries of kind %d are forwarded; this node knows %d and %d: upgrade it",
			b.As, protocol.EntryCommand, protocol.EntrySession)
	}
	r.skip(n)
	return b
}

func (r *reader) forwardRefused() protocol.Body {
	n := r.fields("ForwardRefused", 3)
	b := &protocol.ForwardRefused{
		ID:     r.uint64("ID"),
		Taken:  int(r.uint("taken", 1<<31-1)),
		Reason: protocol.RefusalReason(r.uint("reason", 0xff)),
	}
	r.skip(n - 3)
	return b
}
