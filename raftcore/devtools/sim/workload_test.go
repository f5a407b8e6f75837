package sim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/devtools/simtest"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// accounts is somebody's state machine: "+name" adds one to an account and gives what is in
// it then. Its bugs are switched on by tests.
type accounts struct {
	In                   map[string]int
	forgetful, different bool
}

func (a *accounts) Apply(commands []machine.Command, results []machine.Result) error {
	for i, c := range commands {
		name := string(c.Payload[1:])
		a.In[name]++
		if a.different && c.Discard {
			a.In[name]++
		}
		results[i].Value = a.In[name]
	}
	return nil
}

func (a *accounts) Snapshot() (machine.Snapshot, error) {
	frozen := maps.Clone(a.In)
	if a.forgetful {
		delete(frozen, "a")
	}
	return snapshotOf(frozen), nil
}

func (a *accounts) Restore(_ protocol.EntryID, r io.Reader) error {
	a.In = map[string]int{}
	return json.NewDecoder(r).Decode(&a.In)
}

func (a *accounts) Close() error { return nil }

type snapshotOf map[string]int

func (s snapshotOf) WriteTo(w io.Writer) (int64, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}

func (snapshotOf) Close() error { return nil }

// bank is the workload; change makes it another one.
func bank(change func(*accounts)) *sim.Workload {
	return &sim.Workload{
		Machine: func() machine.StateMachine {
			a := &accounts{In: map[string]int{}}
			change(a)
			return a
		},
		Command: func(r *rand.Rand) []byte { return []byte("+" + string(rune('a'+r.IntN(3)))) },
		Read: func(_ *rand.Rand, m machine.StateMachine) any {
			return maps.Clone(m.(*accounts).In)
		},
		State: func(m machine.StateMachine) string { return fmt.Sprint(m.(*accounts).In) },
		Check: sequential,
	}
}

// sequential replays the history on a map.
func sequential(history []sim.Event) error {
	in := map[string]int{}
	for _, e := range history {
		switch {
		case e.Command != nil:
			name := string(e.Command[1:])
			in[name]++
			if e.Result.Value != in[name] {
				return fmt.Errorf("the command %q at index %d gave %v, not %d", e.Command, e.Index, e.Result.Value, in[name])
			}
		case !maps.Equal(e.Read.(map[string]int), in):
			return fmt.Errorf("a read after index %d gave %v, not %v", e.Index, e.Read, in)
		}
	}
	return nil
}

func with(w *sim.Workload) func(uint64) sim.Options {
	return func(seed uint64) sim.Options {
		o := sim.Profiled(seed)
		o.Workload = w
		return o
	}
}

func TestAUsersStateMachineIsSimulated(t *testing.T) {
	simtest.Run(t, 200, with(bank(func(*accounts) {})))
}

// Bugs of a state machine are found, and the failure says which sort of bug it is.
func TestBugsOfAUsersStateMachineAreFound(t *testing.T) {
	tests := []struct {
		name string
		w    *sim.Workload
		want []sim.Property
	}{
		{"the snapshot lacks something", bank(func(a *accounts) { a.forgetful = true }), []sim.Property{sim.SameState, sim.UserCheck}},
		{"the state depends on who waits", bank(func(a *accounts) { a.different = true }), []sim.Property{sim.SameState, sim.UserCheck}},
		{"the check refuses", refusing(), []sim.Property{sim.UserCheck}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := uint64(1); seed <= 300; seed++ {
				_, err := sim.Run(with(tt.w)(seed))
				var f *sim.Failure
				if !errors.As(err, &f) {
					continue
				}
				if !slices.Contains(tt.want, f.Property) || !strings.Contains(f.Error(), f.Options.String()) {
					t.Errorf("seed %d: %v, want one of %v and the options", seed, f, tt.want)
				}
				return
			}
			t.Error("300 seeds did not find the bug")
		})
	}
}

func refusing() *sim.Workload {
	w := bank(func(*accounts) {})
	w.Check = func([]sim.Event) error { return errors.New("refused") }
	return w
}
