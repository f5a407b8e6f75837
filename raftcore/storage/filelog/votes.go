package filelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// Votes is a storage.Votes on two slots of the file meta that hold the same: see the
// package comment for the reason. Open gives it.
type Votes struct {
	mu struct {
		sync.Mutex
		file  vfs.File
		seq   uint64
		state protocol.HardState
		err   error // for good: what is on disk is not known any more, or both slots are damaged

		closed bool
	}
}

var _ storage.Votes = (*Votes)(nil)

// Load implements storage.Votes.
func (v *Votes) Load() (protocol.HardState, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if errors.Is(v.mu.err, storage.ErrVotesDamaged) {
		return protocol.HardState{}, v.mu.err
	}
	return v.mu.state, nil
}

// Save implements storage.Votes. After an error no later call goes well: a slot that
// may or may not have been written must not be followed by another.
func (v *Votes) Save(s protocol.HardState) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.mu.err != nil {
		return v.mu.err
	}
	if err := writeVotes(v.mu.file, v.mu.seq+1, s); err != nil {
		v.mu.err = err
		return err
	}
	v.mu.seq++
	v.mu.state = s
	return nil
}

func (v *Votes) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.mu.closed {
		return nil
	}
	v.mu.closed = true
	if v.mu.err == nil {
		v.mu.err = storage.ErrClosed
	}
	return v.mu.file.Close()
}

// writeVotes writes both slots, one after the other is durable: at each moment at least
// one holds a whole state, and afterwards both hold the newest.
func writeVotes(f vfs.File, seq uint64, s protocol.HardState) error {
	for _, offset := range []int64{voteA, voteB} {
		if err := writeSlot(f, offset, voteRecord(seq, s)); err != nil {
			return fmt.Errorf("write term %d and vote %d to meta: %w", s.Term, s.Vote, err)
		}
	}
	return nil
}

func voteRecord(seq uint64, s protocol.HardState) protocol.Entry {
	return protocol.Entry{
		Kind: kindVote, Term: s.Term, Index: protocol.Index(seq),
		Payload: binary.LittleEndian.AppendUint64(nil, uint64(s.Vote)),
	}
}

type voteSlot struct {
	seq   uint64
	state protocol.HardState
}

func readVote(f vfs.File, offset int64) (voteSlot, error) {
	e, err := readSlot(f, kindVote, offset, 4096)
	if err != nil {
		return voteSlot{}, err
	}
	if len(e.Payload) != 8 {
		take(branchVoteLength)
		return voteSlot{}, fmt.Errorf("%w: at offset %d of meta: the vote has %d bytes", errBadSlot, offset, len(e.Payload))
	}
	vote := protocol.MemberID(binary.LittleEndian.Uint64(e.Payload))
	return voteSlot{seq: uint64(e.Index), state: protocol.HardState{Term: e.Term, Vote: vote}}, nil
}

// readVotes gives the newest valid slot, and what is wrong with the other. Without a
// valid one the error is ErrVotesDamaged.
func readVotes(f vfs.File) (newest voteSlot, warning, err error) {
	a, errA := readVote(f, voteA)
	b, errB := readVote(f, voteB)
	for _, err := range []error{errA, errB} {
		if err != nil && !errors.Is(err, errBadSlot) {
			return newest, nil, err
		}
	}
	switch {
	case errA != nil && errB != nil:
		take(branchVoteBoth)
		return newest, nil, fmt.Errorf("%w: first: %w; second: %w", storage.ErrVotesDamaged, errA, errB)
	case errA != nil:
		take(branchVoteTorn)
		return b, errA, nil
	case errB != nil:
		take(branchVoteTorn)
		return a, errB, nil
	case a.seq == b.seq && a.state != b.state:
		take(branchVoteConflict)
		return newest, nil, fmt.Errorf("%w: both slots have number %d but hold %+v and %+v", storage.ErrVotesDamaged, a.seq, a.state, b.state)
	case a.seq == b.seq:
		take(branchVoteEqual)
		return a, nil, nil
	case a.seq > b.seq:
		take(branchVoteNewer)
		return a, nil, nil
	}
	take(branchVoteNewer)
	return b, nil, nil
}

// openVotes reads the slots and writes both again: then they hold the same, and what
// was read from a cache is known to be on disk. Damaged votes open too; Load tells.
func openVotes(f vfs.File, warn func(error)) (*Votes, error) {
	v := &Votes{}
	v.mu.file = f
	newest, warning, err := readVotes(f)
	if errors.Is(err, storage.ErrVotesDamaged) {
		v.mu.err = err
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	if warning != nil {
		warn(fmt.Errorf("one of two copies of term and vote was damaged, it is mended from the other: %w", warning))
	}
	v.mu.seq, v.mu.state = newest.seq, newest.state
	return v, writeVotes(f, newest.seq, newest.state)
}
