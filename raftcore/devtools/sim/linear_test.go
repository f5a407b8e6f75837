package sim

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// TestLinearizability has the clients' histories of some seeds judged by a checker that
// knows nothing of Raft.
func TestLinearizability(t *testing.T) {
	n := uint64(200)
	if testing.Short() {
		n = 20
	}
	ops := 0
	for seed := uint64(1); seed <= n; seed++ {
		r, err := Run(OptionsFor(seed))
		if err != nil {
			t.Fatal(err)
		}
		history := operations(r.History)
		ops += len(history)
		if got := porcupine.CheckOperationsTimeout(registerModel, history, 20*time.Second); got != porcupine.Ok {
			t.Errorf("seed %d: the history of %d operations is %v", seed, len(history), got)
		}
	}
	t.Logf("%d operations of %d seeds", ops, n)
}

// operations makes porcupine's history. Whether a write that nobody was told of took
// effect is known here, and that it did so before it was first applied: otherwise each
// of them would double the checker's work.
func operations(history []Operation) []porcupine.Operation {
	var ops []porcupine.Operation
	for i, op := range history {
		if op.Refused || !op.Done && op.Effect == 0 {
			continue
		}
		p := porcupine.Operation{ClientId: i, Input: op, Output: op.Value, Call: int64(op.Call), Return: int64(op.Return)}
		if !op.Done {
			p.Return = int64(op.Effect)
		}
		ops = append(ops, p)
	}
	return ops
}

// registerModel is one register; the histories of different ones are independent.
var registerModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, registers)
		for _, op := range history {
			r := op.Input.(Operation).Register
			parts[r] = append(parts[r], op)
		}
		return parts
	},
	Init: func() any { return uint64(0) },
	Step: func(state, input, output any) (bool, any) {
		if op := input.(Operation); !op.Read {
			return true, op.Value
		}
		return output == state, state
	},
}

// TestLinearizabilityIsJudged shows that the checker would notice a stale read.
func TestLinearizabilityIsJudged(t *testing.T) {
	stale := []Operation{
		{Value: 1, Call: 0, Return: 1, Done: true},
		{Value: 2, Call: 2, Return: 3, Done: true},
		{Read: true, Value: 1, Call: 4, Return: 5, Done: true},
	}
	if porcupine.CheckOperations(registerModel, operations(stale)) {
		t.Error("a read of an overwritten value passes for linearizable")
	}
}
