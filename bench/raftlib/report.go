package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

// reportText is docs/benchmarks.md without its figures.
//
//go:embed benchmarks.md.tmpl
var reportText string

// writeDocs writes benchmarks.md and the pictures it shows into dir.
func writeDocs(r *results, dir string) error {
	if err := writePictures(r, dir); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := writePage(r, &b); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), b.Bytes(), 0o644)
}

func writePage(r *results, to io.Writer) error {
	t, err := template.New("benchmarks.md").Parse(reportText)
	if err != nil {
		return err
	}
	return t.Execute(to, r)
}

// ModuleVersions are the peers' versions in words.
func (r *results) ModuleVersions() string {
	var out []string
	for _, m := range slices.Sorted(maps.Keys(r.Machine.Versions)) {
		out = append(out, m+" "+r.Machine.Versions[m])
	}
	return strings.Join(out, ", ")
}

// Seconds is the length of one measurement.
func (r *results) Seconds() float64 { return r.Time.Seconds() }

// Rounds is how often each point was measured by each library.
func (r *results) Rounds() int {
	n := 0
	for _, m := range r.Points {
		for _, runs := range m.Runs {
			n = max(n, len(runs))
		}
	}
	return n
}

// RateTable is the table of rates, latencies and CPU for proposals of so many bytes; 0 for
// reads.
func (r *results) RateTable(bytes int) string {
	return r.table(bytes, "", func(m *measured, name string) string {
		f, ok := m.median(name)
		if !ok {
			return ""
		}
		return fmt.Sprintf("%s (%.2f, %.1f; %.3f)", thousands(f.PerSecond), f.P50, f.P99, f.CPU)
	})
}

// RatioTable is Quorate's rate over each other's, with the least and the highest of the
// rounds.
func (r *results) RatioTable(bytes int) string {
	return r.table(bytes, "quorate", func(m *measured, name string) string {
		s, ok := m.ratios(name)
		if !ok {
			return ""
		}
		return fmt.Sprintf("**%.2f** (%.2f to %.2f)", s.median, s.low, s.high)
	})
}

// CostTable is what a proposal costs beside CPU.
func (r *results) CostTable(bytes int) string {
	return r.table(bytes, "", func(m *measured, name string) string {
		f, ok := m.median(name)
		if !ok {
			return ""
		}
		return fmt.Sprintf("%.1f; %.3f; %s", f.Allocs, f.Flushes, thousands(f.DiskBytes))
	})
}

// table has a row for each number in flight and a column for each library but one.
func (r *results) table(bytes int, without string, cell func(*measured, string) string) string {
	var b strings.Builder
	names := slices.DeleteFunc(slices.Clone(r.Names), func(n string) bool { return n == without })
	b.WriteString("| in flight |")
	for _, n := range names {
		fmt.Fprintf(&b, " %s |", lookOf(n).title)
	}
	b.WriteString("\n| ---: |" + strings.Repeat(" --- |", len(names)) + "\n")
	for i := range r.Points {
		m := &r.Points[i]
		if m.Point.Bytes != bytes {
			continue
		}
		fmt.Fprintf(&b, "| %d |", m.Point.InFlight)
		for _, n := range names {
			fmt.Fprintf(&b, " %s |", cell(m, n))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TargetTable sets the project's own targets beside what was measured.
func (r *results) TargetTable() string {
	var b strings.Builder
	b.WriteString("| point | target per second | measured | of the floor, wanted | measured | over the best peer, wanted | measured | CPU s for 10,000, at most | measured | allocations, at most | measured | |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n")
	for _, v := range r.verdicts() {
		target := ""
		if v.Rate > 0 {
			target = thousands(v.Rate)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.1f | %s | %s | %.3f | %s | %.1f | %s |\n", v.Point.words(),
			target, thousands(v.Got.PerSecond), orNone("%.2f", v.Floor), orNone("%.2f", v.Part), v.Ratio, v.over(),
			orNone("%.2f", v.CPU), v.Got.CPU, orNone("%.0f", v.Allocs), v.Got.Allocs, v.Mark())
	}
	return b.String()
}

// words names a point as the page does.
func (p point) words() string {
	if p.Bytes == 0 {
		return fmt.Sprintf("linearizable reads, %d in flight", p.InFlight)
	}
	if p.Bytes%1024 == 0 {
		return fmt.Sprintf("%d KiB, %d in flight", p.Bytes/1024, p.InFlight)
	}
	return fmt.Sprintf("%d B, %d in flight", p.Bytes, p.InFlight)
}

// over is the ratio over the best peer, and who that is.
func (v *verdict) over() string {
	if v.Peer == "" {
		return ""
	}
	return fmt.Sprintf("%.2f (%s)", v.Best, lookOf(v.Peer).title)
}

func orNone(format string, v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
