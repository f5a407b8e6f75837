package sim

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/quorate/quorate/raftcore/internal/mutation"
)

// TestLinearizability has the clients' histories of some seeds judged by a checker that
// knows nothing of Raft.
func TestLinearizability(t *testing.T) {
	n := uint64(500)
	if testing.Short() {
		n = 50
	}
	ops := 0
	for seed := uint64(1); seed <= n; seed++ {
		r, err := Run(OptionsFor(seed))
		if err != nil {
			t.Fatal(err)
		}
		history := operations(r.History)
		ops += len(history)
		if got := judge(history); got != porcupine.Ok {
			t.Errorf("seed %d: the history of %d operations is %v", seed, len(history), got)
		}
	}
	t.Logf("%d operations of %d seeds", ops, n)
}

func judge(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(registerModel, history, 20*time.Second)
}

// operations makes porcupine's history. For each write it claims more than clients know:
// that it took effect at the very moment when it was committed, in the order of the log.
// If there is an explanation with that, there is one without; and the checker, which
// would have to try every order of the dozens of writes that wait while there is no
// leader, is quick.
func operations(history []Operation) []porcupine.Operation {
	const moment = 1 << 20 // tells apart what is committed at the same time
	var ops []porcupine.Operation
	for i, op := range history {
		p := porcupine.Operation{ClientId: i, Input: op, Output: op.Value}
		switch {
		case op.Read && op.Done:
			p.Call, p.Return = int64(op.Call)*moment, int64(op.Return+1)*moment-1
		case !op.Read && op.Index != 0:
			p.Call = int64(op.Effect)*moment + int64(op.Index)
			p.Return = p.Call
		default:
			continue // it was not answered, or never took effect
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

// TestLinearizabilityIsJudged has histories judged that a bug made: stale reads of
// leaders that ask no quorum are noticed by this checker, too.
func TestLinearizabilityIsJudged(t *testing.T) {
	for seed := uint64(1); seed <= 1000; seed++ {
		o := OptionsFor(seed)
		staleLeaders(&o)
		o.mutation, o.fiveOnly = mutation.ReadWithoutQuorum, true
		r, err := Run(o)
		if err != nil {
			t.Fatal(err)
		}
		if judge(operations(r.History)) == porcupine.Illegal {
			t.Logf("seed %d: a stale read is noticed", seed)
			return
		}
	}
	t.Error("1000 seeds with leaders that ask no quorum gave no history that is not linearizable")
}
