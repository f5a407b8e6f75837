package queue

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"strings"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// ErrEmpty is the result of a Take from an empty queue.
var ErrEmpty = errors.New("the queue is empty")

// Put is the command that puts an item at the end. Its result is the length of the queue.
func Put(item string) []byte { return append([]byte{'+'}, item...) }

// Take is the command that takes the first item. Its result is that item, or ErrEmpty.
func Take() []byte { return []byte{'-'} }

// Queue is the state machine. Nothing but Apply and Restore changes it.
type Queue struct{ Items []string }

// Apply implements machine.StateMachine.
func (q *Queue) Apply(commands []machine.Command, results []machine.Result) error {
	for i, c := range commands {
		switch item, put := strings.CutPrefix(string(c.Payload), "+"); {
		case put:
			q.Items = append(q.Items, item)
			results[i].Value = len(q.Items)
		case len(q.Items) == 0:
			results[i].Err = ErrEmpty
		default:
			results[i].Value = q.Items[0]
			q.Items = q.Items[1:]
		}
	}
	return nil
}

// Snapshot implements machine.StateMachine.
func (q *Queue) Snapshot() (machine.Snapshot, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(q.Items)
	return machine.SnapshotOf(b.Bytes()), err
}

// Restore implements machine.StateMachine.
func (q *Queue) Restore(_ protocol.EntryID, r io.Reader) error {
	b, err := machine.ReadSnapshot(r)
	if err != nil {
		return err
	}
	q.Items = nil
	return gob.NewDecoder(bytes.NewReader(b)).Decode(&q.Items)
}

// Close implements machine.StateMachine.
func (q *Queue) Close() error { return nil }
