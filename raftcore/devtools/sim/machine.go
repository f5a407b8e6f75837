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
}

func (s *state) apply(e protocol.Entry) {
	s.last = e.ID()
	s.digest = chain(s.digest, digest(e))
	if e.Kind == protocol.EntryCommand {
		w := decodeWrite(e.Payload)
		s.registers[w.register] = w.value
	}
}

// write is the only command: it sets a register. Values are unique in a run, and so
// stand for the request as well.
type write struct {
	register int
	value    uint64
}

func (w write) encode() []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(w.register)}, w.value)
}

func decodeWrite(payload []byte) write {
	return write{register: int(payload[0]), value: binary.BigEndian.Uint64(payload[1:])}
}

func (w write) String() string { return fmt.Sprintf("r%d=%d", w.register, w.value) }

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
