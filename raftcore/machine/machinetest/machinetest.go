package machinetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Kit is what the suite needs to know of a state machine.
type Kit struct {
	// Open opens the state machine in the directory, which is empty at first. A state
	// machine that keeps nothing on disk ignores it.
	Open func(t testing.TB, dir string) machine.StateMachine
	// Command gives the i-th command of a sequence that changes the state, i from 0.
	// Equal i give equal commands; later commands should depend on earlier ones.
	Command func(i int) []byte
	// State describes the whole state, so that equal states have equal descriptions.
	State func(t testing.TB, m machine.StateMachine) string
	// Result describes a result. Default: fmt's %+v.
	Result func(machine.Result) string
}

// commands is how many commands a subtest applies.
const commands = 240

// TestStateMachine runs the suite.
func TestStateMachine(t *testing.T, kit Kit) {
	if kit.Result == nil {
		kit.Result = func(r machine.Result) string { return fmt.Sprintf("%+v", r) }
	}
	t.Run("BatchesDoNotMatter", kit.batches)
	t.Run("DiscardDoesNotMatter", kit.discard)
	t.Run("PayloadsAreNotKept", kit.payloads)
	t.Run("SnapshotIsFrozen", kit.frozen)
	t.Run("RestoreReplaces", kit.restore)
	t.Run("RestoreRefusesDamage", kit.damage)
	t.Run("Durable", kit.durable)
	t.Run("ResultCodec", kit.resultCodec)
	t.Run("Keeper", kit.keeper)
}

func (k Kit) open(t testing.TB) machine.StateMachine {
	m := k.Open(t, t.TempDir())
	t.Cleanup(func() { check(t, m.Close()) })
	return m
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// batch gives the commands from index from+1 on. The log has gaps, as where a term
// began: index i of the sequence is entry entryOf(i).
func (k Kit) batch(from, to int, discard bool) []machine.Command {
	var cs []machine.Command
	for i := from; i < to; i++ {
		id := entryOf(i)
		cs = append(cs, machine.Command{Index: id.Index, Term: id.Term, Payload: k.Command(i), Discard: discard})
	}
	return cs
}

func entryOf(i int) protocol.EntryID {
	term := protocol.Term(1 + i/50)
	return protocol.EntryID{Term: term, Index: protocol.Index(i+1) + protocol.Index(term)}
}

// apply applies the commands [from, to) in batches of the size.
func (k Kit) apply(t testing.TB, m machine.StateMachine, from, to, size int) []string {
	t.Helper()
	var results []string
	for i := from; i < to; i += size {
		cs := k.batch(i, min(i+size, to), false)
		rs := make([]machine.Result, len(cs))
		check(t, m.Apply(cs, rs))
		for _, r := range rs {
			results = append(results, k.Result(r))
		}
	}
	return results
}

func (k Kit) equal(t testing.TB, what string, want, got machine.StateMachine) {
	t.Helper()
	if diff := cmp.Diff(k.State(t, want), k.State(t, got)); diff != "" {
		t.Errorf("%s: the states differ (-want +got):\n%s", what, diff)
	}
}

func (k Kit) batches(t *testing.T) {
	one := k.open(t)
	want := k.apply(t, one, 0, commands, 1)
	for _, size := range []int{2, 7, 64, commands} {
		m := k.open(t)
		if diff := cmp.Diff(want, k.apply(t, m, 0, commands, size)); diff != "" {
			t.Errorf("batches of %d: the results differ (-one by one +batches):\n%s", size, diff)
		}
		k.equal(t, fmt.Sprintf("batches of %d", size), one, m)
	}
}

func (k Kit) discard(t *testing.T) {
	want, got := k.open(t), k.open(t)
	k.apply(t, want, 0, commands, 16)
	for i := 0; i < commands; i += 16 {
		cs := k.batch(i, min(i+16, commands), true)
		check(t, got.Apply(cs, make([]machine.Result, len(cs))))
	}
	k.equal(t, "with results discarded", want, got)
}

func (k Kit) payloads(t *testing.T) {
	want, got := k.open(t), k.open(t)
	k.apply(t, want, 0, commands, 16)
	for i := 0; i < commands; i += 16 {
		cs := k.batch(i, min(i+16, commands), false)
		check(t, got.Apply(cs, make([]machine.Result, len(cs))))
		for _, c := range cs {
			for j := range c.Payload {
				c.Payload[j] = 0xaa
			}
		}
	}
	k.equal(t, "with payloads overwritten after Apply", want, got)
}

func (k Kit) snapshot(t testing.TB, m machine.StateMachine) machine.Snapshot {
	t.Helper()
	s, err := m.Snapshot()
	check(t, err)
	return s
}

func write(t testing.TB, s machine.Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := s.WriteTo(&b)
	check(t, err)
	if n != int64(b.Len()) {
		t.Errorf("WriteTo says that it wrote %d bytes of %d", n, b.Len())
	}
	check(t, s.Close())
	return b.Bytes()
}

// frozen writes a snapshot while Apply goes on.
func (k Kit) frozen(t *testing.T) {
	m, want := k.open(t), k.open(t)
	half := commands / 2
	k.apply(t, m, 0, half, 16)
	k.apply(t, want, 0, half, 16)
	s := k.snapshot(t, m)
	var data bytes.Buffer
	written := make(chan error)
	go func() {
		_, err := s.WriteTo(&data)
		written <- errors.Join(err, s.Close())
	}()
	k.apply(t, m, half, commands, 5)
	check(t, <-written)
	got := k.open(t)
	check(t, got.Restore(entryOf(half-1), &data))
	k.equal(t, "a snapshot written beside Apply", want, got)
	k.apply(t, got, half, commands, 16)
	k.equal(t, "applied on after a restore", m, got)
}

func (k Kit) restore(t *testing.T) {
	m, got := k.open(t), k.open(t)
	half := commands / 2
	k.apply(t, m, 0, commands, 16)
	k.apply(t, got, 0, half, 16)
	data := write(t, k.snapshot(t, m))
	for range 2 {
		check(t, got.Restore(entryOf(commands-1), bytes.NewReader(data)))
		k.equal(t, "restored over another state", m, got)
	}
	empty := k.open(t)
	check(t, got.Restore(protocol.EntryID{Term: 9, Index: 9999}, bytes.NewReader(write(t, k.snapshot(t, empty)))))
	k.equal(t, "restored an empty state", empty, got)
}

// damage cuts snapshots and turns bits over: a restore must notice or, where the
// state machine's form has no use for the byte, give the right state.
func (k Kit) damage(t *testing.T) {
	m := k.open(t)
	k.apply(t, m, 0, commands, 16)
	data := write(t, k.snapshot(t, m))
	want := k.State(t, m)
	for i := range 16 {
		at := len(data) * i / 16
		flipped := bytes.Clone(data)
		flipped[at] ^= 0x10
		for what, bad := range map[string][]byte{"cut": data[:at], "bit turned over": flipped} {
			got := k.Open(t, t.TempDir())
			err := got.Restore(entryOf(commands-1), bytes.NewReader(bad))
			if err == nil && k.State(t, got) != want {
				t.Errorf("%s at byte %d of %d: Restore reports no error and the state is wrong", what, at, len(data))
			}
			_ = got.Close() // the state is undefined
		}
	}
}

func (k Kit) durable(t *testing.T) {
	if m := k.open(t); !isDurable(m) {
		t.Skip("the state machine does not implement machine.Durable")
	}
	dir := t.TempDir()
	m := k.Open(t, dir).(machine.Durable)
	if id := m.Applied(); id != (protocol.EntryID{}) {
		t.Errorf("an empty state says that %+v is applied", id)
	}
	want := k.open(t)
	for done := 0; done < commands; {
		next := min(done+50, commands)
		k.apply(t, m, done, next, 8)
		k.apply(t, want, done, next, 8)
		synced, err := m.Sync()
		check(t, err)
		if synced != entryOf(next-1) {
			t.Errorf("after entry %+v Sync gives %+v", entryOf(next-1), synced)
		}
		check(t, m.Close())
		m = k.Open(t, dir).(machine.Durable)
		if id := m.Applied(); id != synced {
			t.Fatalf("Sync gave %+v, but %+v is applied after opening again", synced, id)
		}
		k.equal(t, "opened again", want, m)
		done = next
	}
	if to, ok := m.(machine.AppliedTo); ok {
		k.appliedTo(t, m, to)
	}
	k.restoreDurable(t, m, dir)
}

func isDurable(m machine.StateMachine) bool {
	_, ok := m.(machine.Durable)
	return ok
}

func (k Kit) appliedTo(t *testing.T, m machine.Durable, to machine.AppliedTo) {
	id := protocol.EntryID{Term: 20, Index: 1000}
	to.AppliedTo(id)
	if synced, err := m.Sync(); err != nil || synced != id {
		t.Errorf("after AppliedTo(%+v) Sync gives %+v, %v", id, synced, err)
	}
}

// restoreDurable restores an empty state and opens it again.
func (k Kit) restoreDurable(t *testing.T, m machine.Durable, dir string) {
	empty := k.open(t)
	id := protocol.EntryID{Term: 21, Index: 2000}
	check(t, m.Restore(id, bytes.NewReader(write(t, k.snapshot(t, empty)))))
	_, err := m.Sync()
	check(t, err)
	check(t, m.Close())
	m = k.Open(t, dir).(machine.Durable)
	if got := m.Applied(); got != id {
		t.Errorf("restored up to %+v, but %+v is applied after opening again", id, got)
	}
	k.equal(t, "restored and opened again", empty, m)
	check(t, m.Close())
}
