package memlog

import (
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

var _ storage.Votes = (*Votes)(nil)

// Votes is a storage.Votes in memory. The zero value is new and ready; a member's next
// process takes the same one.
type Votes struct {
	mu    sync.Mutex
	state protocol.HardState
	err   error
}

// Fail makes Save give the error from now on, or work again when it is nil.
func (v *Votes) Fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

// Load implements storage.Votes.
func (v *Votes) Load() (protocol.HardState, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state, nil
}

// Save implements storage.Votes.
func (v *Votes) Save(s protocol.HardState) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err == nil {
		v.state = s
	}
	return v.err
}
