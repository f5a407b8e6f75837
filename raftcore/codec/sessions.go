package codec

import "github.com/quorate/quorate/raftcore/protocol"

// sessionBound bounds what a value about sessions takes beside lists and answers.
const sessionBound = 1 + 9*9 + 2*5

var (
	sessionChanges = form[protocol.SessionChange]{name: "session change", bound: sessionChangeSize, write: writeSessionChange, read: readSessionChange}
	sessions       = form[protocol.Session]{name: "session", bound: sessionSize, write: writeSession, read: readSession}
	sessionsHeads  = form[protocol.SessionsHead]{name: "sessions head", bound: sessionsHeadSize, write: writeSessionsHead, read: readSessionsHead}
)

// EncodeSessionChange implements Serializer.
func (Msgpack) EncodeSessionChange(dst []byte, c protocol.SessionChange) (Encoded, error) {
	return sessionChanges.encode(dst, c)
}

// DecodeSessionChange implements Serializer.
func (Msgpack) DecodeSessionChange(e Encoded) (protocol.SessionChange, error) {
	return sessionChanges.decode(e)
}

// EncodeSession implements Serializer.
func (Msgpack) EncodeSession(dst []byte, s protocol.Session) (Encoded, error) {
	return sessions.encode(dst, s)
}

// DecodeSession implements Serializer.
func (Msgpack) DecodeSession(e Encoded) (protocol.Session, error) { return sessions.decode(e) }

// EncodeSessionsHead implements Serializer.
func (Msgpack) EncodeSessionsHead(dst []byte, h protocol.SessionsHead) (Encoded, error) {
	return sessionsHeads.encode(dst, h)
}

// DecodeSessionsHead implements Serializer.
func (Msgpack) DecodeSessionsHead(e Encoded) (protocol.SessionsHead, error) {
	return sessionsHeads.decode(e)
}

func sessionChangeSize(c *protocol.SessionChange) int { return sessionBound + 9*len(c.Clients) }

func writeSessionChange(w *writer, c *protocol.SessionChange) {
	w.array(9)
	w.uint(sessionVersion)
	w.uint(uint64(c.Op))
	w.uint(uint64(c.ReplyTo.Member))
	w.uint(c.ReplyTo.Request)
	w.array(len(c.Clients))
	for _, client := range c.Clients {
		w.uint(client)
	}
	w.uint(c.Clock)
	w.uint(c.Timeout)
	w.uint(c.MaxSessions)
	w.uint(c.MaxAnswer)
}

func readSessionChange(r *reader, c *protocol.SessionChange) {
	n := r.versioned(sessionVersion, 9)
	c.Op = protocol.SessionOp(r.uint("operation", 0xff))
	if r.err == nil && (c.Op < protocol.SessionOpen || c.Op > protocol.SessionClock) {
		r.fail(ErrUnknownKind, "operation %d on sessions; this node knows %d to %d: upgrade it",
			c.Op, protocol.SessionOpen, protocol.SessionClock)
	}
	c.ReplyTo.Member = protocol.MemberID(r.uint64("reply-to member"))
	c.ReplyTo.Request = r.uint64("reply-to request")
	if k := r.elements("clients", 1); k > 0 {
		c.Clients = make([]uint64, k)
		for i := range c.Clients {
			c.Clients[i] = r.uint64("client")
		}
	}
	c.Clock = r.uint64("clock")
	c.Timeout = r.uint64("timeout")
	c.MaxSessions = r.uint64("most sessions")
	c.MaxAnswer = r.uint64("largest answer")
	r.skip(n - 9)
}

func sessionSize(s *protocol.Session) int { return sessionBound + len(s.Answer.Data) }

func writeSession(w *writer, s *protocol.Session) {
	w.array(10)
	w.uint(sessionVersion)
	w.uint(s.Client)
	w.uint(s.Timeout)
	w.uint(s.MaxAnswer)
	w.uint(uint64(s.Active))
	w.bool(s.Fresh)
	w.uint(s.Seen)
	w.uint(s.Serial)
	w.bool(s.Answer.TooLarge)
	w.bytes(s.Answer.Data)
}

func readSession(r *reader, s *protocol.Session) {
	n := r.versioned(sessionVersion, 10)
	s.Client = r.uint64("client")
	s.Timeout = r.uint64("timeout")
	s.MaxAnswer = r.uint64("largest answer")
	s.Active = protocol.Index(r.uint64("active"))
	s.Fresh = r.bool("fresh")
	s.Seen = r.uint64("seen")
	s.Serial = r.uint64("serial")
	s.Answer.TooLarge = r.bool("too large")
	s.Answer.Data = r.bytes("answer")
	r.skip(n - 10)
}

func sessionsHeadSize(*protocol.SessionsHead) int { return sessionBound }

func writeSessionsHead(w *writer, h *protocol.SessionsHead) {
	w.array(5)
	w.uint(sessionVersion)
	w.uint(uint64(h.Applied))
	w.uint(h.Clock)
	w.uint(uint64(h.ClockTerm))
	w.uint(h.Reading)
}

func readSessionsHead(r *reader, h *protocol.SessionsHead) {
	n := r.versioned(sessionVersion, 5)
	h.Applied = protocol.Index(r.uint64("applied"))
	h.Clock = r.uint64("clock")
	h.ClockTerm = protocol.Term(r.uint64("term of the clock"))
	h.Reading = r.uint64("reading")
	r.skip(n - 5)
}
