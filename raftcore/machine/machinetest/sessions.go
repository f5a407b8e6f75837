package machinetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// resultCodec: what is kept of a result says the same as the result, and is the same on
// every member.
func (k Kit) resultCodec(t *testing.T) {
	one, other := k.open(t), k.open(t)
	c, ok := one.(machine.ResultCodec)
	if !ok {
		t.Skip("the state machine does not implement machine.ResultCodec")
	}
	for i := range commands {
		var kept [2][]byte
		for j, m := range []machine.StateMachine{one, other} {
			rs := make([]machine.Result, 1)
			check(t, m.Apply(k.batch(i, i+1, false), rs))
			b, err := m.(machine.ResultCodec).EncodeResult(rs[0])
			check(t, err)
			kept[j] = b
			again, err := c.DecodeResult(bytes.Clone(b))
			check(t, err)
			if want, got := k.Result(rs[0]), k.Result(again); want != got {
				t.Fatalf("command %d: the result is %s, and %s after it was kept", i, want, got)
			}
		}
		if !bytes.Equal(kept[0], kept[1]) {
			t.Fatalf("command %d: one member keeps %x, another %x", i, kept[0], kept[1])
		}
	}
}

// keeper: the host's records are kept with the effects of the commands, or not at all.
func (k Kit) keeper(t *testing.T) {
	dir := t.TempDir()
	m, ok := k.Open(t, dir).(machine.Keeper)
	if !ok {
		t.Skip("the state machine does not implement machine.Keeper")
	}
	if got := kept(t, m); len(got) > 0 {
		t.Errorf("an empty state keeps %q", got)
	}
	for done, round := 0, 0; done < commands; round++ {
		next, synced := min(done+30, commands), round%2 == 1
		k.applyAndKeep(t, m, done, next)
		if synced {
			_, err := m.Sync()
			check(t, err)
		}
		check(t, m.Close())
		m = k.Open(t, dir).(machine.Keeper)
		k.together(t, m)
		for done = 0; done < commands && entryOf(done).Index <= m.Applied().Index; {
			done++
		}
		if synced && done != next {
			t.Fatalf("after Sync and opening again, %d commands are applied instead of %d", done, next)
		}
		want := k.open(t)
		k.apply(t, want, 0, done, 8)
		k.equal(t, "opened again", want, m)
	}
	k.restoreKept(t, m, dir)
}

// applyAndKeep applies the commands in batches. Each batch replaces the record "at", adds
// one of its own, and removes that of the batch before.
func (k Kit) applyAndKeep(t *testing.T, m machine.Keeper, from, to int) {
	t.Helper()
	for i := from; i < to; i += 5 {
		cs := k.batch(i, min(i+5, to), false)
		rs, calls := make([]machine.Result, len(cs)), 0
		last, before := cs[len(cs)-1].Index, k.before(t, m)
		check(t, m.ApplyAndKeep(cs, rs, func() ([]machine.Record, error) {
			calls++
			for j, r := range rs {
				if r == (machine.Result{}) {
					t.Errorf("keep is called without the result of command %d", i+j)
				}
			}
			return []machine.Record{
				{Key: []byte("at"), Value: binary.BigEndian.AppendUint64(nil, uint64(last))},
				{Key: fmt.Append(nil, "own ", uint64(last)), Value: []byte{}},
				{Key: fmt.Append(nil, "own ", uint64(before))},
			}, nil
		}))
		if calls != 1 {
			t.Errorf("keep is called %d times", calls)
		}
	}
	oops := errors.New("oops")
	if err := m.ApplyAndKeep(nil, nil, func() ([]machine.Record, error) { return nil, oops }); !errors.Is(err, oops) {
		t.Errorf("an error of keep becomes %v", err)
	}
}

// before gives the record "at".
func (k Kit) before(t *testing.T, m machine.Keeper) protocol.Index {
	for _, r := range kept(t, m) {
		if key, value, _ := strings.Cut(r, "="); key == "at" {
			return protocol.Index(binary.BigEndian.Uint64([]byte(value)))
		}
	}
	return 0
}

// together demands the records of the last entry that is applied.
func (k Kit) together(t *testing.T, m machine.Keeper) {
	t.Helper()
	at := k.before(t, m)
	if at != m.Applied().Index {
		t.Fatalf("entry %d is applied, with the records of entry %d", m.Applied().Index, at)
	}
	want := []string(nil)
	if at > 0 {
		want = []string{"at=" + string(binary.BigEndian.AppendUint64(nil, uint64(at))), fmt.Sprint("own ", uint64(at), "=")}
	}
	if d := cmp.Diff(want, kept(t, m)); d != "" {
		t.Fatalf("the records of entry %d (-want +got):\n%s", at, d)
	}
}

// kept gives the records, sorted.
func kept(t *testing.T, m machine.Keeper) (records []string) {
	t.Helper()
	check(t, m.Kept(func(r machine.Record) error {
		records = append(records, string(r.Key)+"="+string(r.Value))
		return nil
	}))
	slices.Sort(records)
	return records
}

// restoreKept: records travel in snapshots and replace those that are there, for good.
func (k Kit) restoreKept(t *testing.T, m machine.Keeper, dir string) {
	want := kept(t, m)
	data := write(t, k.snapshot(t, m))
	other, ok := k.open(t).(machine.Keeper)
	if !ok {
		t.Fatal("the state machine implements machine.Keeper only sometimes")
	}
	check(t, other.ApplyAndKeep(nil, nil, func() ([]machine.Record, error) {
		return []machine.Record{{Key: []byte("of another state"), Value: []byte("x")}}, nil
	}))
	check(t, other.Restore(m.Applied(), bytes.NewReader(data)))
	if d := cmp.Diff(want, kept(t, other)); d != "" {
		t.Errorf("the records after a restore (-want +got):\n%s", d)
	}
	empty := k.open(t)
	check(t, m.Restore(protocol.EntryID{Term: 20, Index: 5000}, bytes.NewReader(write(t, k.snapshot(t, empty)))))
	check(t, m.Close())
	m = k.Open(t, dir).(machine.Keeper)
	defer m.Close() //nolint:errcheck // nothing is written
	if got := kept(t, m); m.Applied().Index == 5000 && len(got) > 0 {
		t.Errorf("an empty state was restored, and %q is kept", got)
	}
}
