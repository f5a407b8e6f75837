package sim

import (
	"strings"
	"testing"
)

func TestOptionsAreReadAsTheyAreWritten(t *testing.T) {
	for seed := uint64(1); seed <= 50; seed++ {
		o := OptionsFor(seed)
		o.Members, o.Faults, o.LossPercent, o.HealMajority = 4, Crash|Drift, 77, !o.HealMajority
		o.FaultEvery = 123 * Microsecond
		got, err := ParseOptions(o.String())
		if err != nil || got != o {
			t.Errorf("%q is read as %+v, %v; want %+v", o, got, err, o)
		}
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	tests := []struct{ line, want string }{
		{"", "must begin with a seed"},
		{"one members=3", "must begin with a seed"},
		{"1 members=8", "members is 8"},
		{"1 members=many", "members=many"},
		{"1 colour=red", `there is no option "colour"`},
		{"1 faults=crash+flood", `there is no fault "flood"`},
		{"1 faultevery=0", "faultevery 0"},
	}
	for _, tt := range tests {
		if _, err := ParseOptions(tt.line); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q gave %v, want an error with %q", tt.line, err, tt.want)
		}
	}
	if _, err := Run(Options{}); err == nil {
		t.Error("a cluster without members ran")
	}
}
