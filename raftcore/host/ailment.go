package host

import (
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/replica"
)

// ailments are the faults that this member lives with and that end by themselves: it
// repairs its log, or waits for space.
type ailments struct {
	mu   sync.Mutex
	list []*fault.Fault
}

// all gives them, the oldest first.
func (a *ailments) all() []*fault.Fault {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

func (a *ailments) put(f *fault.Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, x := range a.list {
		if x.Kind == f.Kind {
			f.At = x.At
			a.list[i] = f
			return
		}
	}
	a.list = append(a.list, f)
}

func (a *ailments) drop(k fault.Kind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = slices.DeleteFunc(a.list, func(f *fault.Fault) bool { return f.Kind == k })
}

// ailing reports a fault that the member lives with; of a kind there is one at a time.
func (h *Host) ailing(f *fault.Fault) {
	h.ailments.put(f)
	h.opts.Logger.Error(f, "this member goes on with a fault", "fault", f.Kind, "remedy", f.Kind.Remedy())
	if h.opts.Faults != nil {
		h.opts.Faults.Note(f)
	}
}

// recovered tells that a fault of the kind is over.
func (h *Host) recovered(k fault.Kind) {
	h.ailments.drop(k)
	if h.opts.Faults != nil {
		h.opts.Faults.Recovered(k, time.Now())
	}
}

// unfitness is a reason for which a member should not lead, or must not.
type unfitness uint8

const (
	forDamage unfitness = iota // records of its log are damaged
	forSpace                   // its disk is full
	forSpeed                   // its disk is slow, or hangs
	reasons
)

func worse(is bool, l replica.FitnessLevel) replica.FitnessLevel {
	if is {
		return l
	}
	return replica.Fit
}

// setFitness tells the replica the worst of what the reasons make of this member.
func (h *Host) setFitness(why unfitness, l replica.FitnessLevel) {
	if h.fitness[why] == l {
		return
	}
	h.fitness[why] = l
	h.step(replica.Fitness{Level: slices.Max(h.fitness[:])})
}
