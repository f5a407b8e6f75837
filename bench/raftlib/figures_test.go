package main

import (
	"slices"
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
	at64, alone, at16 := point{64, 128}, point{1, 128}, point{16, 4096}
	for _, c := range []struct {
		name           string
		point          point
		ours           figures
		floor, peer    float64 // rates
		lacks, reached string
	}{
		{"rate and part", at64, figures{PerSecond: 70_000, CPU: 0.1, Allocs: 5}, 100_000, 40_000, "", "rate and part of the floor, ratio, CPU, allocations"},
		{"the rate alone", at64, figures{PerSecond: 70_000, CPU: 0.1, Allocs: 5}, 1_000_000, 40_000, "", "rate, ratio, CPU, allocations"},
		{"the part alone", at64, figures{PerSecond: 650, CPU: 0.1, Allocs: 5}, 1000, 380, "", "part of the floor, ratio, CPU, allocations"},
		{"neither", at64, figures{PerSecond: 69_000, CPU: 0.1, Allocs: 5}, 1_000_000, 40_000, "rate", "ratio, CPU, allocations"},
		{"too near to the best peer", at64, figures{PerSecond: 70_000, CPU: 0.1, Allocs: 5}, 100_000, 42_000, "ratio", "rate and part of the floor, CPU, allocations"},
		{"too much CPU", at64, figures{PerSecond: 70_000, CPU: 0.19, Allocs: 5}, 1_000_000, 40_000, "CPU", "rate, ratio, allocations"},
		{"too many allocations", at64, figures{PerSecond: 70_000, CPU: 0.1, Allocs: 15}, 1_000_000, 40_000, "allocations", "rate, ratio, CPU"},
		{"everything", at64, figures{PerSecond: 1, CPU: 1, Allocs: 100}, 1000, 1000, "rate, ratio, CPU, allocations", ""},
		{"no peer", at64, figures{PerSecond: 70_000, CPU: 0.1, Allocs: 5}, 1_000_000, 0, "a measured peer", "rate, CPU, allocations"},
		{"alone, a tenth more is enough", alone, figures{PerSecond: 3_600}, 4_000, 3_270, "", "rate and part of the floor, ratio"},
		{"alone, less than a tenth more", alone, figures{PerSecond: 3_600}, 4_000, 3_280, "ratio", "rate and part of the floor"},
		{"no rate is wanted, but the ratio", at16, figures{PerSecond: 170}, 1_000_000, 100, "", "ratio"},
		{"no rate is wanted, the ratio is missed", at16, figures{PerSecond: 169}, 1_000_000, 100, "ratio", ""},
	} {
		m := measured{Point: c.point, Runs: map[string][]figures{"quorate": {c.ours}, "floor": runs(c.floor)}}
		if c.peer > 0 {
			m.Runs["etcd"], m.Runs["etcd-async"], m.Runs["hashicorp"] = runs(c.peer/2), runs(c.peer), runs(c.peer/3)
		}
		r := results{Names: []string{"quorate", "floor"}, Points: []measured{m}}
		vs := r.verdicts()
		if len(vs) != 1 {
			t.Fatalf("%s: %d verdicts", c.name, len(vs))
		}
		v := vs[0]
		if got := strings.Join(v.Lacks, ", "); got != c.lacks || v.OK() != (c.lacks == "") {
			t.Errorf("%s: it lacks %q, want %q", c.name, got, c.lacks)
		}
		if got := strings.Join(v.Reached, ", "); got != c.reached {
			t.Errorf("%s: it has reached %q, want %q", c.name, got, c.reached)
		}
		if c.peer > 0 && v.Peer != "etcd-async" {
			t.Errorf("%s: the best peer is %q", c.name, v.Peer)
		}
	}
}

// Whatever is measured beside the peers has to beat them: 1.1 times with one in flight,
// 1.7 times elsewhere.
func TestEveryPointHasARatio(t *testing.T) {
	for _, p := range (&options{bytes: -1}).points() {
		i := slices.IndexFunc(targets, func(t target) bool { return t.Point == p })
		want := 1.7
		if p.InFlight == 1 {
			want = 1.1
		}
		if i < 0 || targets[i].Ratio != want {
			t.Errorf("%v has no target with a ratio of %v", p, want)
		}
	}
}

// Each point that misses something has its part of the page: what it lacks, its figures, and
// what is known about it; a point that is reached has none.
func TestPageTellsOfPointsThatMiss(t *testing.T) {
	r := results{Names: []string{"quorate", "etcd", "floor"}}
	for _, g := range targets {
		r.Points = append(r.Points, measured{Point: g.Point, Runs: map[string][]figures{"quorate": runs(100), "etcd": runs(100), "floor": runs(1000)}})
	}
	r.Points[3].Runs = map[string][]figures{"quorate": {{PerSecond: 1e6, CPU: 0.01}}, "etcd": runs(100), "floor": runs(1e6)}
	var b strings.Builder
	if err := writePage(&r, &b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for i, g := range targets {
		head := "\n### " + g.Point.words() + ": lacks "
		if got := strings.Contains(page, head); got != (i != 3) {
			t.Errorf("the page has %q: %v", head, got)
		}
	}
	if strings.Contains(page, notLookedAt) {
		t.Error("a point has no remark in remarks.md.tmpl")
	}
	for _, want := range []string{
		"| 128 B, 1 in flight | 3,600 | 100 | 0.90 | 0.10 | 1.1 | 1.00 (etcd raft) |",
		"\n### 128 B, 64 in flight: lacks rate, ratio\n\nQuorate 100 a second",
	} {
		if !strings.Contains(page, want) {
			_, targets, _ := strings.Cut(page, "## Targets")
			t.Errorf("the page lacks %q:\n%s", want, targets)
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
