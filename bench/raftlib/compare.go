package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// results are all figures of one comparison, and where they were taken.
type results struct {
	Machine computer
	Time    time.Duration // of one measurement
	Names   []string      // of the libraries, in the order of turns
	Points  []measured
}

// measured is one point: of each library one run a round.
type measured struct {
	Point point
	Runs  map[string][]figures
}

// compare measures every point, the libraries in turns, and prints a table as it goes.
func compare(o *options) (*results, error) {
	children, err := startAll(o)
	defer func() { stopAll(children) }()
	if err != nil {
		return nil, err
	}
	r := &results{Machine: thisMachine(), Time: o.time}
	for _, c := range children {
		r.Names = append(r.Names, c.name)
	}
	printHead(os.Stdout)
	for _, p := range o.points() {
		m := measured{Point: p, Runs: map[string][]figures{}}
		for range o.rounds {
			if err := turn(&m, children, o.time); err != nil {
				return nil, err
			}
			children = append(children[1:], children[0]) // nobody is always the first, or after the same one
		}
		m.printRows(os.Stdout, r.Names)
		r.Points = append(r.Points, m)
	}
	return r, nil
}

func startAll(o *options) ([]*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var children []*child
	start := func(name, library, binary string) error {
		c, err := startChild(name, library, binary, filepath.Join(o.dir, name), o.records(name))
		if err == nil {
			children = append(children, c)
		}
		return err
	}
	for _, l := range libraries {
		if !o.wanted(l.name) {
			continue
		}
		if err := start(l.name, l.name, self); err != nil {
			return children, err
		}
	}
	if name, binary, ok := strings.Cut(o.also, "="); ok {
		return children, start(name, "quorate", binary)
	}
	return children, nil
}

func stopAll(children []*child) {
	for _, c := range children {
		c.stop()
	}
}

// turn measures every library once at a point.
func turn(m *measured, children []*child, d time.Duration) error {
	for _, c := range children {
		if m.Point.Bytes == 0 && c.name == "floor" {
			continue // it has no state to be read
		}
		f, err := c.measure(m.Point, d)
		if err != nil {
			return fmt.Errorf("%s, %d in flight, %d bytes: %w", c.name, m.Point.InFlight, m.Point.Bytes, err)
		}
		m.Runs[c.name] = append(m.Runs[c.name], f)
	}
	return nil
}

func printHead(w io.Writer) {
	fmt.Fprintln(w, "three members on this machine's files and loopback; an operation is done when the leader has applied it; 0 bytes: a linearizable read")
	fmt.Fprintf(w, "%6s %9s  %-10s %10s %9s %9s %11s %8s %8s %10s  %s\n", "bytes", "in flight", "library", "per second", "p50 ms", "p99 ms", "CPU s/10000", "allocs", "flushes", "disk bytes", "quorate / this")
}

func (m *measured) printRows(w io.Writer, names []string) {
	for _, name := range names {
		f, ok := m.median(name)
		if !ok {
			continue
		}
		fmt.Fprintf(w, "%6d %9d  %-10s %10.0f %9.2f %9.2f %11.3f %8.1f %8.3f %10.0f  %s\n", m.Point.Bytes, m.Point.InFlight, name,
			f.PerSecond, f.P50, f.P99, f.CPU, f.Allocs, f.Flushes, f.DiskBytes, m.ratio(name))
	}
}

// median gives, of each figure, the median over a library's runs.
func (m *measured) median(name string) (figures, bool) {
	runs := m.Runs[name]
	if len(runs) == 0 {
		return figures{}, false
	}
	of := func(get func(figures) float64) float64 { return middle(runs, get) }
	return figures{
		PerSecond: of(rate), CPU: of(func(f figures) float64 { return f.CPU }),
		P50: of(func(f figures) float64 { return f.P50 }), P99: of(func(f figures) float64 { return f.P99 }),
		Allocs: of(func(f figures) float64 { return f.Allocs }), Flushes: of(func(f figures) float64 { return f.Flushes }),
		DiskBytes: of(func(f figures) float64 { return f.DiskBytes }),
	}, true
}

func rate(f figures) float64 { return f.PerSecond }

func middle[T any](s []T, get func(T) float64) float64 {
	var xs []float64
	for _, x := range s {
		xs = append(xs, get(x))
	}
	slices.Sort(xs)
	return (xs[len(xs)/2] + xs[(len(xs)-1)/2]) / 2
}

// spread is a ratio of rates over the rounds: each is of two runs of the same round.
type spread struct{ median, low, high float64 }

// ratios gives quorate's rates over another library's, run by run.
func (m *measured) ratios(name string) (spread, bool) {
	ours, theirs := m.Runs["quorate"], m.Runs[name]
	if name == "quorate" || len(ours) == 0 || len(ours) != len(theirs) {
		return spread{}, false
	}
	var xs []float64
	for i := range ours {
		xs = append(xs, ours[i].PerSecond/theirs[i].PerSecond)
	}
	return spread{middle(xs, func(x float64) float64 { return x }), slices.Min(xs), slices.Max(xs)}, true
}

func (m *measured) ratio(name string) string {
	s, ok := m.ratios(name)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.median, s.low, s.high)
}

func (r *results) save(file string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

func load(file string) (*results, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &results{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	printHead(os.Stdout)
	for i := range r.Points {
		r.Points[i].printRows(os.Stdout, r.Names)
	}
	return r, nil
}

// at gives a point's measurements, nil when it was not measured.
func (r *results) at(p point) *measured {
	for i := range r.Points {
		if r.Points[i].Point == p {
			return &r.Points[i]
		}
	}
	return nil
}
