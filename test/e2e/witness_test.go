//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// witness does, beside an act, the least that a write needs: it waits a moment, writes a
// byte and syncs it. Where that takes long, it was the machine, not the act, that held up.
type witness struct {
	start time.Time
	stop  context.CancelFunc
	done  chan struct{}

	mu    sync.Mutex
	turns []turn
}

// turn is one write of the witness, since the start.
type turn struct{ from, to time.Duration }

const (
	witnessRest  = 10 * time.Millisecond
	witnessUsual = 20 * time.Millisecond // that a turn may take on a machine that is not held up
)

// startWitness starts one whose clock began at start.
func startWitness(t *testing.T, start time.Time) *witness {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "witness"))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	w := &witness{start: start, stop: cancel, done: make(chan struct{})}
	go w.run(ctx, f)
	t.Cleanup(func() { cancel(); <-w.done; f.Close() })
	return w
}

func (w *witness) run(ctx context.Context, f *os.File) {
	defer close(w.done)
	for ctx.Err() == nil {
		from := time.Since(w.start)
		select {
		case <-ctx.Done():
		case <-time.After(witnessRest):
		}
		if _, err := f.WriteAt([]byte{1}, 0); err != nil || f.Sync() != nil {
			return
		}
		w.mu.Lock()
		w.turns = append(w.turns, turn{from, time.Since(w.start)})
		w.mu.Unlock()
	}
}

// heldUp tells for how long the machine was held up between two moments.
func (w *witness) heldUp(from, to time.Duration) (total time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.turns {
		if within := min(t.to, to) - max(t.from, from); within > witnessUsual {
			total += within - witnessUsual
		}
	}
	return total
}
