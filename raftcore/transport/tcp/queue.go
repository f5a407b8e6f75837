package tcp

import (
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
)

// While there is no connection only so much is kept: the newest.
const (
	maxQueuedDown      = 64
	maxQueuedDownBytes = 1 << 20
)

// queue holds what waits for one peer. ready has a token when there is something.
type queue struct {
	ready chan struct{}
	limit queueLimit // while connected

	mu struct {
		sync.Mutex
		messages  []protocol.Message
		bytes     int
		connected bool
	}
}

type queueLimit struct{ messages, bytes int }

func newQueue(l queueLimit) *queue { return &queue{ready: make(chan struct{}, 1), limit: l} }

// push adds a message and gives how many messages were dropped: this one when it
// finds the queue full, older ones while there is no connection. One message alone
// is always taken, whatever its size.
func (q *queue) push(m protocol.Message) (dropped int) {
	size := payloadSize(m.Body)
	q.mu.Lock()
	if n := len(q.mu.messages); q.mu.connected && n > 0 && (n >= q.limit.messages || q.mu.bytes+size > q.limit.bytes) {
		q.mu.Unlock()
		return 1
	}
	q.mu.messages = append(q.mu.messages, m)
	q.mu.bytes += size
	if !q.mu.connected {
		dropped = q.trim()
	}
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return dropped
}

// setConnected changes the bound and gives how many messages were dropped for it.
func (q *queue) setConnected(yes bool) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.connected = yes
	if yes {
		return 0
	}
	return q.trim()
}

// trim drops the oldest messages beyond the bound that holds while there is no
// connection. The caller holds the lock.
func (q *queue) trim() (dropped int) {
	ms := q.mu.messages
	for len(ms)-dropped > 1 && (len(ms)-dropped > maxQueuedDown || q.mu.bytes > maxQueuedDownBytes) {
		q.mu.bytes -= payloadSize(ms[dropped].Body)
		dropped++
	}
	if dropped > 0 {
		rest := copy(ms, ms[dropped:])
		clear(ms[rest:])
		q.mu.messages = ms[:rest]
	}
	return dropped
}

// take gives all that waits and keeps the emptied slice for what comes next.
func (q *queue) take(empty []protocol.Message) []protocol.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	ms := q.mu.messages
	q.mu.messages, q.mu.bytes = empty[:0], 0
	return ms
}

// payloadSize is what a message counts for the bound of the queue, in bytes.
func payloadSize(b protocol.Body) int {
	switch b := b.(type) {
	case *protocol.AppendRequest:
		return protocol.Size(b.Entries)
	case *protocol.SnapshotRequest:
		return len(b.Data)
	case *protocol.RepairResponse:
		return protocol.Size(b.Entries)
	case *protocol.Forward:
		n := 0
		for _, p := range b.Payloads {
			n += len(p)
		}
		return n
	}
	return 0
}
