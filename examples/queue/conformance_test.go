package queue

import (
	"fmt"
	"testing"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/machine/machinetest"
)

var _ machine.StateMachine = (*Queue)(nil)

// The contract's own suite finds what a state machine forgets: payloads that are kept,
// results that depend on batches, snapshots that change while they are written.
func TestConforms(t *testing.T) {
	machinetest.TestStateMachine(t, machinetest.Kit{
		Open: func(testing.TB, string) machine.StateMachine { return new(Queue) },
		Command: func(i int) []byte {
			if i%3 == 2 {
				return Take()
			}
			return Put(fmt.Sprint(i))
		},
		State: func(_ testing.TB, m machine.StateMachine) string { return fmt.Sprintf("%q", m.(*Queue).Items) },
	})
}
