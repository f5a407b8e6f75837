package sim

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/internal/mutation"
)

// A failure that many faults led to is found again with fewer of them, and tells how to
// see it and what happened last.
func TestShrinkFindsASimplerRun(t *testing.T) {
	o := OptionsFor(1)
	o.Faults, o.Members, o.mutation = allFaults, 7, mutation.AckBeforeSync
	f := failureOf(o)
	if f == nil {
		t.Fatal("the bug AckBeforeSync was not noticed with all faults on")
	}
	g := Shrink(f)
	if g.Options.Faults.count() >= 5 || g.Options.Members >= 7 || g.Options.Steps > f.Step {
		t.Errorf("the failure of %v was shrunk only to %v", f.Options, g.Options)
	}
	if text := g.Error(); !strings.Contains(text, g.Options.String()) || !strings.Contains(text, "AppendRequest") {
		t.Errorf("the failure does not tell its options and the last events: %s", text)
	}
	if again := failureOf(g.Options); again == nil || again.Detail != g.Detail {
		t.Errorf("the shrunk options give %v, not %v again", again, g)
	}
}
