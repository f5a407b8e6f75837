package filelog

import (
	"encoding/binary"
	"fmt"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// The records of the log's own, beside entries. The values are written to disk: they
// never change.
const (
	// kindHead is the first record of each segment and a part of the first write
	// there. Term and Index are those of the last entry before it; see head.
	kindHead = codec.FrameOwnKinds + 0
	// kindBase moves the base to Term and Index; what follows stays.
	kindBase = codec.FrameOwnKinds + 1
	// kindReset makes the log empty with the base Term and Index.
	kindReset = codec.FrameOwnKinds + 2
	// kindMark changes nothing. It is written after recovery and at an orderly close
	// and proves that all before it had been durable.
	kindMark = codec.FrameOwnKinds + 3
)

// flagStart marks the first frame of a write. Since a write begins only after the one
// before is durable, a valid frame with it proves that all before it was durable
// once: what is not valid there now is damage.
const flagStart = 1

// head is what a kindHead record tells: the state of the log where the segment begins,
// and where the segment before it ends.
type head struct {
	base    protocol.EntryID
	last    protocol.EntryID
	prevEnd int64 // 0 in the first segment of all
}

const headPayload = 24

func (h head) record() protocol.Entry {
	p := make([]byte, 0, headPayload)
	p = binary.LittleEndian.AppendUint64(p, uint64(h.base.Term))
	p = binary.LittleEndian.AppendUint64(p, uint64(h.base.Index))
	p = binary.LittleEndian.AppendUint64(p, uint64(h.prevEnd))
	return protocol.Entry{Kind: kindHead, Term: h.last.Term, Index: h.last.Index, Payload: p}
}

func parseHead(e protocol.Entry) (head, error) {
	if len(e.Payload) < headPayload {
		return head{}, fmt.Errorf("the head record has %d bytes instead of %d", len(e.Payload), headPayload)
	}
	return head{
		base: protocol.EntryID{
			Term:  protocol.Term(binary.LittleEndian.Uint64(e.Payload)),
			Index: protocol.Index(binary.LittleEndian.Uint64(e.Payload[8:])),
		},
		last:    e.ID(),
		prevEnd: int64(binary.LittleEndian.Uint64(e.Payload[16:])),
	}, nil
}

func idRecord(kind protocol.EntryKind, id protocol.EntryID) protocol.Entry {
	return protocol.Entry{Kind: kind, Term: id.Term, Index: id.Index}
}

// kindName names a record for people.
func kindName(k protocol.EntryKind) string {
	switch k {
	case kindHead:
		return "head"
	case kindBase:
		return "base"
	case kindReset:
		return "reset"
	case kindMark:
		return "mark"
	}
	return k.String()
}
