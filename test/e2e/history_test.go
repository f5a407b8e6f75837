//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The verbs of a call.
const (
	read  = "read"
	write = "write"
	cas   = "cas" // writes the value if the key has the old one
)

// kvInput is one call on one key. A key that was never written has the value "".
type kvInput struct {
	verb, key  string
	value, old string // of a write and a cas; of a cas
}

// kvOutput is its answer.
type kvOutput struct {
	known   bool   // false: no answer, it may take effect at any time later
	value   string // what was read
	swapped bool   // whether the cas wrote
}

// history is what clients saw.
type history struct {
	start time.Time

	mu     sync.Mutex
	ops    []porcupine.Operation
	acked  []time.Duration   // when writes were acknowledged, since start
	ledger map[string]string // keys that were written once and acknowledged
	notes  []string          // calls that were slow or failed
	failed int               // calls that failed
}

// slow is how long a call may take before it is noted.
const slow = 500 * time.Millisecond

func newHistory() *history {
	return &history{start: time.Now(), ledger: map[string]string{}}
}

func (h *history) now() time.Duration { return time.Since(h.start) }

// add takes one call. A call without an answer says something only if it may have written.
func (h *history) add(client int, in kvInput, out kvOutput, called, returned time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !out.known && in.verb == read:
		return
	case !out.known:
		returned = 24 * time.Hour
	case in.verb == write, out.swapped:
		h.acked = append(h.acked, returned)
	}
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: int64(called), Return: int64(returned)})
}

// keep takes a key of the ledger, acknowledged now.
func (h *history) keep(key, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ledger[key] = value
	h.acked = append(h.acked, h.now())
}

func (h *history) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, fmt.Sprintf(format, args...))
}

// fail counts a call that failed.
func (h *history) fail() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed++
}

// failures tells how many calls failed.
func (h *history) failures() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
}

// writes counts what was acknowledged.
func (h *history) writes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acked)
}

// size counts the calls that are judged.
func (h *history) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops) + len(h.ledger)
}

// gap is the longest time between two acknowledged writes within the window, its ends
// included.
func (h *history) gap(from, to time.Duration) (longest, at time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.Sort(h.acked)
	last := from
	for _, a := range append(slices.Clone(h.acked), to) {
		if a < from || a > to {
			continue
		}
		if a-last > longest {
			longest, at = a-last, last
		}
		last = a
	}
	return longest, at
}

// keys gives every key of the registers.
func (h *history) keys() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]bool{}
	for _, op := range h.ops {
		all[op.Input.(kvInput).key] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// judge lets Porcupine decide. Keys are independent of each other, so each is judged alone.
func (h *history) judge(t *testing.T) {
	t.Helper()
	model := porcupine.Model{Partition: byKey, Init: func() any { return "" }, Step: step}
	switch porcupine.CheckOperationsTimeout(model, h.ops, time.Minute) {
	case porcupine.Illegal:
		t.Errorf("the history of %d operations is not linearizable", len(h.ops))
	case porcupine.Unknown:
		t.Errorf("Porcupine did not finish within a minute over %d operations", len(h.ops))
	}
}

// step is a register. A cas without an answer that never took effect is one that came last.
func step(state, input, output any) (bool, any) {
	in, out, now := input.(kvInput), output.(kvOutput), state.(string)
	switch in.verb {
	case write:
		return true, in.value
	case cas:
		if now == in.old {
			return !out.known || out.swapped, in.value
		}
		return !out.known || !out.swapped, now
	default:
		return out.value == now, now
	}
}

func byKey(ops []porcupine.Operation) [][]porcupine.Operation {
	m := map[string][]porcupine.Operation{}
	for _, op := range ops {
		k := op.Input.(kvInput).key
		m[k] = append(m[k], op)
	}
	return slices.Collect(maps.Values(m))
}
