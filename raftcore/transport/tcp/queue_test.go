package tcp

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
)

func request(id uint64) protocol.Message {
	return protocol.Message{Body: &protocol.ReadRequest{ID: id}}
}

func chunk(id uint64, size int) protocol.Message {
	return protocol.Message{Term: protocol.Term(id), Body: &protocol.SnapshotRequest{Data: make([]byte, size)}}
}

func ids(ms []protocol.Message) (is []uint64) {
	for _, m := range ms {
		if b, ok := m.Body.(*protocol.ReadRequest); ok {
			is = append(is, b.ID)
		} else {
			is = append(is, uint64(m.Term))
		}
	}
	return is
}

func TestAFullQueueDropsTheNewestWhileConnected(t *testing.T) {
	q := newQueue(queueLimit{messages: 3, bytes: 100})
	q.setConnected(true)
	dropped := 0
	for id := range uint64(5) {
		dropped += q.push(request(id + 1))
	}
	if got := ids(q.take(nil)); !cmp.Equal(got, []uint64{1, 2, 3}) || dropped != 2 {
		t.Errorf("kept %v, dropped %d", got, dropped)
	}
	dropped = q.push(chunk(1, 1000)) // alone: taken whatever its size
	dropped += q.push(chunk(2, 1))
	if got := ids(q.take(nil)); !cmp.Equal(got, []uint64{1}) || dropped != 1 {
		t.Errorf("kept %v, dropped %d", got, dropped)
	}
	dropped = q.push(chunk(3, 60)) + q.push(chunk(4, 60)) + q.push(request(5))
	if got := ids(q.take(nil)); !cmp.Equal(got, []uint64{3, 5}) || dropped != 1 {
		t.Errorf("kept %v, dropped %d", got, dropped)
	}
}

func TestOnlyTheNewestAreKeptWhileThereIsNoConnection(t *testing.T) {
	q := newQueue(queueLimit{messages: 1000, bytes: 10 << 20})
	dropped := 0
	for id := range uint64(100) {
		dropped += q.push(request(id))
	}
	got := ids(q.take(nil))
	if len(got) != maxQueuedDown || got[0] != 36 || got[63] != 99 || dropped != 36 {
		t.Errorf("kept %v, dropped %d", got, dropped)
	}
	dropped = q.push(chunk(1, maxQueuedDownBytes)) + q.push(chunk(2, 1)) + q.push(chunk(3, 2*maxQueuedDownBytes))
	if got := ids(q.take(nil)); !cmp.Equal(got, []uint64{3}) || dropped != 2 {
		t.Errorf("kept %v, dropped %d", got, dropped)
	}
	q.setConnected(true)
	for id := range uint64(100) {
		q.push(request(id))
	}
	if dropped := q.setConnected(false); dropped != 36 {
		t.Errorf("when the connection broke %d were dropped", dropped)
	}
	if got := ids(q.take(nil)); len(got) != 64 || got[0] != 36 {
		t.Errorf("kept %v", got)
	}
}

func TestTakeGivesTheSliceBack(t *testing.T) {
	q := newQueue(queueLimit{messages: 10, bytes: 10})
	q.push(request(1))
	first := q.take(nil)
	q.push(request(2))
	second := q.take(first)
	q.push(request(3))
	third := q.take(second)
	if &third[0] != &first[0] || ids(third)[0] != 3 {
		t.Errorf("the third batch is %v in new memory", ids(third))
	}
}
