package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/devtools/simtest"
	"github.com/quorate/quorate/raftcore/machine"
)

func TestInSimulatedClusters(t *testing.T) {
	simtest.Workload(t, 300, &sim.Workload{
		Machine: func() machine.StateMachine { return new(Queue) },
		Command: func(r *rand.Rand) []byte { return [][]byte{Take(), Put(fmt.Sprint(r.IntN(1000)))}[r.IntN(2)] },
		State:   func(m machine.StateMachine) string { return strings.Join(m.(*Queue).Items, " ") },
		Check:   inOrder,
	})
}

// inOrder wants that items are taken in the order in which they were put, none lost or twice.
func inOrder(history []sim.Event) error {
	var in []string
	for _, e := range history {
		switch item, put := strings.CutPrefix(string(e.Command), "+"); {
		case put:
			in = append(in, item)
		case len(in) > 0 && e.Result.Value == in[0]:
			in = in[1:]
		case len(in) > 0 || !errors.Is(e.Result.Err, ErrEmpty):
			return fmt.Errorf("take at index %d gave %+v; in the queue were %q", e.Index, e.Result, in)
		}
	}
	return nil
}
