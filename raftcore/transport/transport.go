package transport

import "github.com/quorate/quorate/raftcore/protocol"

// Comms sends messages to the other members. All methods may be called from any
// goroutine.
type Comms interface {
	// Send queues the messages, each for its To member, and returns at once. A
	// message for a member that is unknown or unreachable, or whose queue is full, is
	// dropped and counted. The slice is the caller's again when Send returns; the bodies
	// are not.
	Send(messages []protocol.Message)

	// SetPeers tells which members there are, by ID, and where (host:port).
	// Connections to members that are not named are closed, but for those that are connected
	// to this one and have told where they are: while they call, they are answered. So
	// a member that knows nobody yet can be fed, and join.
	SetPeers(map[protocol.MemberID]string)

	// Close stops everything and waits for it. The Handler is not called after it.
	Close() error
}

// Handler takes what arrives. Its methods are called from the transport's
// goroutines, for one sender from one goroutine at a time.
type Handler interface {
	// Receive takes messages that arrived together. The slice is the transport's
	// again when it returns; the bodies and their payloads are the handler's. It may
	// block: then the sender is held back.
	Receive(messages []protocol.Message)

	// Disconnected tells that a connection with the member broke that stood before:
	// its process may have ended.
	Disconnected(protocol.MemberID)
}
