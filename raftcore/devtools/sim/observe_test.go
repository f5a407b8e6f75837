package sim

import (
	"errors"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
)

// TestObserver shows that an observer sees every step and every message, changes
// nothing, and can end a run.
func TestObserver(t *testing.T) {
	o := OptionsFor(11)
	alone, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Moment]int{}
	up := map[protocol.MemberID]bool{}
	watched, err := RunObserved(o, func(x Observation) error {
		seen[x.Moment]++
		if x.Moment != Started && !up[x.Member] {
			t.Errorf("seed %d: moment %d at member %d, which is down", o.Seed, x.Moment, x.Member)
		}
		up[x.Member] = x.Moment != Crashed
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen[Stepped] != watched.Steps || watched.Steps != alone.Steps || watched.Time != alone.Time {
		t.Errorf("seed %d: %d steps were observed of %d; without an observer there are %d", o.Seed, seen[Stepped], watched.Steps, alone.Steps)
	}
	for m := Started; m <= Crashed; m++ {
		if seen[m] == 0 {
			t.Errorf("seed %d: moment %d never came", o.Seed, m)
		}
	}

	wanted := errors.New("enough")
	_, err = RunObserved(o, func(Observation) error { return wanted })
	var f *Failure
	if !errors.As(err, &f) || f.Property != Observed {
		t.Errorf("the observer's error gave %v", err)
	}
}
