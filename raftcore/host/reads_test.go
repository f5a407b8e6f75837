package host

import (
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
)

// However the applier comes between, a read whose index is applied does not wait for
// the next entry. Here it applies the index right after confirm has asked what is applied;
// nothing but the lock may hold its release back until confirm is through.
func TestReadIsConfirmedWhileItsIndexIsApplied(t *testing.T) {
	const index = 7
	r := &reads{}
	b, _ := r.join()
	id := r.ask()
	released := make(chan struct{})
	r.confirm(id, index, func() protocol.Index {
		go func() { r.release(index); close(released) }()
		if r.mu.TryLock() { // nothing holds it back
			r.mu.Unlock()
			<-released
		}
		return index - 1
	})
	<-released
	select {
	case <-b.done:
	default:
		t.Error("the read is confirmed and its index applied, but it waits")
	}
}

// Whoever comes while a batch has no answer shares the next one, which is asked for as soon as
// the answer or a refusal is there.
func TestReadsCollectWhileOneIsAsked(t *testing.T) {
	r := &reads{}
	applied := func() protocol.Index { return 1 }
	r.join()
	first := r.ask()
	a, _ := r.join()
	b, _ := r.join()
	if id := r.ask(); id != 0 || a != b {
		t.Fatalf("asked for batch %d while batch %d has no answer, or split it: %v", id, first, a != b)
	}
	r.confirm(first, 1, applied)
	second := r.ask()
	if second != a.id {
		t.Fatalf("after the answer batch %d is asked for, not %d", second, a.id)
	}
	r.join()
	r.refuse(second)
	if third := r.ask(); third == 0 {
		t.Error("a refused batch holds back the next one")
	}
}
