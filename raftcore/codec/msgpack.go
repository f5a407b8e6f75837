package codec

import "github.com/quorate/quorate/raftcore/protocol"

// Msgpack is the Serializer for files and sockets. Package documentation has the
// format.
//
// What its Decode methods give shares the bytes it was given: payloads are slices of
// them, with their capacity cut to their length.
type Msgpack struct{}

var (
	_ Serializer = Msgpack{}
	_ Versioned  = Msgpack{}
)

const msgpackName = "msgpack/1"

// The highest version of each value that this release reads, and the one it writes.
const (
	messageVersion    = 2 // written only where version 1 cannot tell it
	entryVersion      = 1
	commandVersion    = 1
	membershipVersion = 1
	sessionVersion    = 1 // of a change, a session, and the head of a table
)

var (
	messages    = form[protocol.Message]{name: "message", bound: messageSize, write: writeMessage, read: readMessage}
	entries     = form[protocol.Entry]{name: "entry", bound: entrySize, write: writeEntry, read: readEntry}
	commands    = form[protocol.Command]{name: "command", bound: commandSize, write: writeCommand, read: readCommand}
	memberships = form[protocol.Membership]{name: "membership", bound: membershipSize, write: writeMembership, read: readMembership}
)

// Name implements Serializer.
func (Msgpack) Name() string { return msgpackName }

// Binary implements Serializer. It is true.
func (Msgpack) Binary() bool { return true }

// EncodeMessage implements Serializer.
func (Msgpack) EncodeMessage(dst []byte, m protocol.Message) (Encoded, error) {
	return messages.encode(dst, m)
}

// DecodeMessage implements Serializer.
func (Msgpack) DecodeMessage(e Encoded) (protocol.Message, error) { return messages.decode(e) }

// EncodeEntry implements Serializer.
func (Msgpack) EncodeEntry(dst []byte, e protocol.Entry) (Encoded, error) {
	return entries.encode(dst, e)
}

// DecodeEntry implements Serializer.
func (Msgpack) DecodeEntry(e Encoded) (protocol.Entry, error) { return entries.decode(e) }

// EncodeCommand implements Serializer.
func (Msgpack) EncodeCommand(dst []byte, c protocol.Command) (Encoded, error) {
	return commands.encode(dst, c)
}

// DecodeCommand implements Serializer.
func (Msgpack) DecodeCommand(e Encoded) (protocol.Command, error) { return commands.decode(e) }

// EncodeMembership implements Serializer.
func (Msgpack) EncodeMembership(dst []byte, m protocol.Membership) (Encoded, error) {
	return memberships.encode(dst, m)
}

// DecodeMembership implements Serializer.
func (Msgpack) DecodeMembership(e Encoded) (protocol.Membership, error) { return memberships.decode(e) }

// MessageVersion implements Versioned. It is the lowest version that can tell the body: readers
// of version 1 know the kinds up to Forward, and take whatever is forwarded for commands.
func (Msgpack) MessageVersion(b protocol.Body) uint16 {
	if b.Kind() > protocol.KindForward {
		return 2
	}
	if f, ok := b.(*protocol.Forward); ok && f.As > 0 && f.As != protocol.EntryCommand {
		return 2
	}
	return 1
}

// NewestMessage implements Versioned.
func (Msgpack) NewestMessage() uint16 { return messageVersion }

func messageSize(m *protocol.Message) int { return bodyBound + bodySize(m.Body) }

func writeMessage(w *writer, m *protocol.Message) {
	if m.Body == nil {
		w.unknown(m.Body)
		return
	}
	w.array(6)
	w.uint(uint64(Msgpack{}.MessageVersion(m.Body)))
	w.uint(uint64(m.Body.Kind()))
	w.uint(uint64(m.From))
	w.uint(uint64(m.To))
	w.uint(uint64(m.Term))
	if !w.body(m.Body) {
		w.unknown(m.Body)
	}
}

func readMessage(r *reader, m *protocol.Message) {
	n := r.versioned(messageVersion, 6)
	kind := protocol.MessageKind(r.uint("message kind", 0xff))
	m.From = protocol.MemberID(r.uint64("from"))
	m.To = protocol.MemberID(r.uint64("to"))
	m.Term = protocol.Term(r.uint64("term"))
	m.Body = r.body(kind)
	r.skip(n - 6)
}

func entrySize(e *protocol.Entry) int { return entryBound + len(e.Payload) }

func writeEntry(w *writer, e *protocol.Entry) {
	w.array(5)
	w.uint(entryVersion)
	w.entryFields(e)
}

func readEntry(r *reader, e *protocol.Entry) {
	n := r.versioned(entryVersion, 5)
	r.entryFields(e)
	r.skip(n - 5)
}

func commandSize(c *protocol.Command) int { return commandBound + len(c.Payload) }

func writeCommand(w *writer, c *protocol.Command) {
	w.array(6)
	w.uint(commandVersion)
	w.uint(c.Client)
	w.uint(c.Serial)
	w.uint(uint64(c.ReplyTo.Member))
	w.uint(c.ReplyTo.Request)
	w.bytes(c.Payload)
}

func readCommand(r *reader, c *protocol.Command) {
	n := r.versioned(commandVersion, 6)
	c.Client = r.uint64("client")
	c.Serial = r.uint64("serial")
	c.ReplyTo.Member = protocol.MemberID(r.uint64("reply-to member"))
	c.ReplyTo.Request = r.uint64("reply-to request")
	c.Payload = r.bytes("payload")
	r.skip(n - 6)
}

func writeMembership(w *writer, m *protocol.Membership) {
	w.array(4)
	w.uint(membershipVersion)
	w.membershipFields(m)
	w.uint(uint64(m.Highest))
}

func readMembership(r *reader, m *protocol.Membership) {
	n := r.versioned(membershipVersion, 3)
	*m = r.membershipFields()
	r.skip(r.membershipRest(m, n-3))
}
