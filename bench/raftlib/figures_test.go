package main

import (
	"strings"
	"testing"
)

func runs(rates ...float64) (fs []figures) {
	for _, r := range rates {
		fs = append(fs, figures{PerSecond: r, CPU: 0.1, Allocs: 5})
	}
	return fs
}

// A ratio is of runs of the same round, not of medians.
func TestRatiosAreOfPairs(t *testing.T) {
	m := measured{Point: point{64, 128}, Runs: map[string][]figures{"quorate": runs(100, 10, 30), "etcd": runs(50, 10, 10)}}
	got, ok := m.ratios("etcd")
	if want := (spread{median: 2, low: 1, high: 3}); !ok || got != want {
		t.Errorf("the ratios are %+v, want %+v", got, want)
	}
	if _, ok := m.ratios("quorate"); ok {
		t.Error("quorate has a ratio to itself")
	}
	if f, _ := m.median("quorate"); f.PerSecond != 30 {
		t.Errorf("the median of 100, 10 and 30 is %v", f.PerSecond)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name        string
		rate, floor float64
		cpu, allocs float64
		lacks       string
	}{
		{"the rate is reached", 70_000, 1_000_000, 0.1, 5, ""},
		{"the part of the floor is reached", 650, 1000, 0.1, 5, ""},
		{"neither", 69_000, 1_000_000, 0.1, 5, "rate"},
		{"too much CPU", 70_000, 1_000_000, 0.19, 5, "CPU"},
		{"too many allocations", 70_000, 1_000_000, 0.1, 15, "allocations"},
	} {
		f := figures{PerSecond: c.rate, CPU: c.cpu, Allocs: c.allocs}
		r := results{Names: []string{"quorate", "floor"}, Points: []measured{{
			Point: point{64, 128}, Runs: map[string][]figures{"quorate": {f}, "floor": runs(c.floor)},
		}}}
		vs := r.verdicts()
		if len(vs) != 1 || vs[0].Lacks != c.lacks || vs[0].OK != (c.lacks == "") {
			t.Errorf("%s: %+v, want it to lack %q", c.name, vs, c.lacks)
		}
	}
}

// A point that a library was not measured at leaves its cell empty.
func TestTableLeavesOutWhatIsNotThere(t *testing.T) {
	r := results{Names: []string{"quorate", "floor"}, Points: []measured{{Point: point{64, 0}, Runs: map[string][]figures{"quorate": runs(1234567)}}}}
	table := r.RateTable(0)
	if want := "| 64 | 1,234,567 (0.00, 0.0; 0.100) |  |\n"; !strings.HasSuffix(table, want) {
		t.Errorf("the table is\n%s, want it to end in %s", table, want)
	}
}
