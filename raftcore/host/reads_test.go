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
