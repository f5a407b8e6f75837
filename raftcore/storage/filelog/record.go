package filelog

import (
	"bytes"
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
	// kindBase moves the base to Term and Index; what follows stays. The payload is that of
	// the last Configuration entry up to there, empty when there was none.
	kindBase = codec.FrameOwnKinds + 1
	// kindReset makes the log empty with the base Term and Index, and a payload as kindBase.
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

	configuration []byte // as of the base; nil: none is known
}

// headPayload is the payload without the configuration.
const headPayload = 24

func (h head) record() protocol.Entry {
	p := make([]byte, 0, headPayload+len(h.configuration))
	p = binary.LittleEndian.AppendUint64(p, uint64(h.base.Term))
	p = binary.LittleEndian.AppendUint64(p, uint64(h.base.Index))
	p = binary.LittleEndian.AppendUint64(p, uint64(h.prevEnd))
	p = append(p, h.configuration...)
	return protocol.Entry{Kind: kindHead, Term: h.last.Term, Index: h.last.Index, Payload: p}
}

func parseHead(e protocol.Entry) (head, error) {
	if len(e.Payload) < headPayload {
		take(branchHeadShort)
		return head{}, fmt.Errorf("the head record has %d bytes instead of %d", len(e.Payload), headPayload)
	}
	return head{
		base: protocol.EntryID{
			Term:  protocol.Term(binary.LittleEndian.Uint64(e.Payload)),
			Index: protocol.Index(binary.LittleEndian.Uint64(e.Payload[8:])),
		},
		last:    e.ID(),
		prevEnd: int64(binary.LittleEndian.Uint64(e.Payload[16:])),

		configuration: kept(e.Payload[headPayload:]),
	}, nil
}

// kept copies a configuration out of the buffer that it was read into; nil stands for an
// empty one, which is none.
func kept(p []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	return bytes.Clone(p)
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
