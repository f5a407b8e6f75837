package sim

import (
	"encoding/binary"
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
)

// registers is how many registers the replicated state machine has.
const registers = 3

// state is the replicated state machine: a few registers, and a digest of all
// entries that were applied, in order. It is a value: a snapshot is a copy.
type state struct {
	last      protocol.EntryID
	digest    uint64
	registers [registers]uint64
	frozen    []byte // of a snapshot: the user's machine, when the run has one
}

func (s *state) apply(e protocol.Entry) {
	s.last = e.ID()
	s.digest = chain(s.digest, digest(e))
	if e.Kind == protocol.EntryCommand {
		w := decodeWrite(e.Payload)
		s.registers[w.register] = w.value
	}
}

// write is the only command: it sets a register, and may carry a command for the user's
// machine. Values are unique in a run, and so stand for the request as well.
type write struct {
	register int
	value    uint64
	command  []byte
}

func (w write) encode() []byte {
	return append(binary.BigEndian.AppendUint64([]byte{byte(w.register)}, w.value), w.command...)
}

func decodeWrite(payload []byte) write {
	return write{register: int(payload[0]), value: binary.BigEndian.Uint64(payload[1:]), command: payload[9:]}
}

func (w write) String() string {
	if len(w.command) > 0 {
		return fmt.Sprintf("%d=%q", w.value, w.command)
	}
	return fmt.Sprintf("r%d=%d", w.register, w.value)
}

// encode gives a snapshot's bytes.
func (s *state) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(s.last.Term))
	b = binary.BigEndian.AppendUint64(b, uint64(s.last.Index))
	b = binary.BigEndian.AppendUint64(b, s.digest)
	for _, r := range s.registers {
		b = binary.BigEndian.AppendUint64(b, r)
	}
	return append(b, s.frozen...)
}

func decodeState(b []byte) state {
	next := func() uint64 {
		n := binary.BigEndian.Uint64(b)
		b = b[8:]
		return n
	}
	s := state{last: protocol.EntryID{Term: protocol.Term(next()), Index: protocol.Index(next())}, digest: next()}
	for i := range s.registers {
		s.registers[i] = next()
	}
	s.frozen = b
	return s
}

// digest tells entries' contents apart (FNV-1a).
func digest(e protocol.Entry) uint64 {
	h := chain(chain(chain(14695981039346656037, uint64(e.Index)), uint64(e.Term)), uint64(e.Kind))
	for _, b := range e.Payload {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// chain mixes the next value into a digest.
func chain(h, next uint64) uint64 {
	h ^= next
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}
