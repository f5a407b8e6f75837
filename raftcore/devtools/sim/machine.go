package sim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/session"
)

// registers is how many registers the replicated state machine has.
const registers = 3

// state is the replicated state machine: a few registers, the table of sessions, and a
// digest of all entries that were applied, in order, and of what came of them.
type state struct {
	last      protocol.EntryID
	digest    uint64
	registers [registers]uint64
	config    []byte         // the payload of the last configuration; nil: the first one
	sessions  *session.Table // nil: the run has none
	frozen    []byte         // of a snapshot: the user's machine, when the run has one
}

// outcome is what came of an entry.
type outcome struct {
	verdict session.Verdict // of a command; Execute also when it has no session
	answer  uint64          // to a command: what the register held before
	opened  uint64          // the client whose session was opened
	unknown []uint64        // clients that were to be kept, but have no session
}

func (s *state) apply(e protocol.Entry) (o outcome) {
	s.last = e.ID()
	s.digest = chain(s.digest, digest(e))
	switch e.Kind {
	case protocol.EntryCommand:
		o = s.command(e.Index, decodeWrite(e.Payload))
	case protocol.EntryConfiguration:
		s.config = e.Payload
		return o
	case protocol.EntrySession:
		o.opened, o.unknown = s.sessions.Change(e.ID(), decodeChange(e.Payload).SessionChange)
	default:
		return o
	}
	if s.sessions != nil {
		s.digest = chain(chain(chain(s.digest, uint64(o.verdict)), o.answer), uint64(s.sessions.Len()))
	}
	return o
}

func (s *state) command(at protocol.Index, w write) outcome {
	o := outcome{verdict: session.Execute, answer: s.registers[w.register]}
	if w.client != 0 {
		o.verdict = s.sessions.Take(at, w.client, w.serial)
	}
	switch o.verdict {
	case session.Execute:
		s.registers[w.register] = w.value
		if w.client != 0 {
			s.sessions.Executed(w.client, w.serial, binary.BigEndian.AppendUint64(nil, o.answer))
		}
	case session.Repeat:
		o.answer = 0
		if a := s.sessions.Answer(w.client); len(a.Data) == 8 {
			o.answer = binary.BigEndian.Uint64(a.Data)
		}
	}
	return o
}

// copy gives a state that lives on its own.
func (s state) copy() state {
	if s.sessions != nil {
		s.sessions = s.cloneSessions(s.sessions.Freeze())
	}
	return s
}

func (s state) cloneSessions(im session.Image) *session.Table {
	t := session.New()
	if s.sessions != nil {
		t.Mutation = s.sessions.Mutation
	}
	if err := t.Restore(im); err != nil {
		panic(err) // Freeze and Restore do not fit: guard makes a failure of it
	}
	return t
}

// write is the only command: it sets a register and answers what was in it, and may carry a
// command for the user's machine. Values are unique in a run, and so stand for the request
// as well: that of a session is sent again with the same value.
type write struct {
	register       int
	value          uint64
	client, serial uint64 // of the session; 0: there is none
	command        []byte
}

const writeBytes = 1 + 3*8

func (w write) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{byte(w.register)}, w.value)
	b = binary.BigEndian.AppendUint64(b, w.client)
	return append(binary.BigEndian.AppendUint64(b, w.serial), w.command...)
}

func decodeWrite(payload []byte) write {
	n := func(at int) uint64 { return binary.BigEndian.Uint64(payload[at:]) }
	return write{register: int(payload[0]), value: n(1), client: n(9), serial: n(17), command: payload[writeBytes:]}
}

func (w write) String() string {
	s := fmt.Sprintf("r%d=%d", w.register, w.value)
	if w.client != 0 {
		s += fmt.Sprintf(" (client %d, serial %d)", w.client, w.serial)
	}
	if len(w.command) > 0 {
		s += fmt.Sprintf(" %q", w.command)
	}
	return s
}

// change is what an entry about sessions says. The value stands for the request.
type change struct {
	protocol.SessionChange
	Value uint64
}

// encode writes what a run needs of a change: opening, keeping one client, reading a clock.
func (c change) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{byte(c.Op)}, c.Value)
	b = binary.BigEndian.AppendUint64(b, c.Clock)
	b = binary.BigEndian.AppendUint64(b, c.Timeout)
	for _, id := range c.Clients {
		b = binary.BigEndian.AppendUint64(b, id)
	}
	return b
}

func decodeChange(b []byte) change {
	c := change{Value: binary.BigEndian.Uint64(b[1:])}
	c.Op, c.Clock, c.Timeout = protocol.SessionOp(b[0]), binary.BigEndian.Uint64(b[9:]), binary.BigEndian.Uint64(b[17:])
	for b = b[25:]; len(b) > 0; b = b[8:] {
		c.Clients = append(c.Clients, binary.BigEndian.Uint64(b))
	}
	return c
}

// stored is a snapshot as it travels.
type stored struct {
	Last      protocol.EntryID
	Digest    uint64
	Registers [registers]uint64
	Sessions  *session.Image `json:",omitempty"`
	Config    []byte         `json:",omitempty"`
	Frozen    []byte         `json:",omitempty"`
}

// encode gives a snapshot's bytes.
func (s *state) encode() ([]byte, error) {
	out := stored{Last: s.last, Digest: s.digest, Registers: s.registers, Config: s.config, Frozen: s.frozen}
	if s.sessions != nil {
		im := s.sessions.Freeze()
		out.Sessions = &im
	}
	return json.Marshal(out)
}

// decode replaces the state by a snapshot's; what is not in it, such as whether the run has
// sessions, it has already.
func (s *state) decode(b []byte) error {
	var in stored
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	s.last, s.digest, s.registers, s.config, s.frozen = in.Last, in.Digest, in.Registers, in.Config, in.Frozen
	if in.Sessions != nil {
		s.sessions = s.cloneSessions(*in.Sessions)
	}
	return nil
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
