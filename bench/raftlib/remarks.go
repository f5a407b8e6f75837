package main

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

// remarksText has, for each point, what is known about its time: the page shows it when
// the point misses a target.
//
//go:embed remarks.md.tmpl
var remarksText string

// notLookedAt stands where a remark is missing.
const notLookedAt = "Nobody has looked at this point yet."

// Missed is the part of the page about the points that lack something: a heading, the
// figures, and the point's remark.
func (r *results) Missed() (string, error) {
	t, err := template.New("remarks.md").Parse(remarksText)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, v := range r.verdicts() {
		if v.OK() {
			continue
		}
		fmt.Fprintf(&b, "### %s: lacks %s\n\n%s\n\n", v.Point.words(), strings.Join(v.Lacks, ", "), r.beside(&v))
		if err := remark(&b, t, v.Point); err != nil {
			return "", err
		}
	}
	if b.Len() == 0 {
		return "None.\n", nil
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// remark writes the template that has the point's name, as in "64 in flight, 128 bytes".
func remark(b *strings.Builder, t *template.Template, p point) error {
	x := t.Lookup(fmt.Sprintf("%d in flight, %d bytes", p.InFlight, p.Bytes))
	if x == nil {
		b.WriteString(notLookedAt + "\n\n")
		return nil
	}
	var text strings.Builder
	if err := x.Execute(&text, nil); err != nil {
		return err
	}
	b.WriteString(strings.TrimSpace(text.String()) + "\n\n")
	return nil
}

// beside says a point's figures in a sentence: ours, the best peer's and the floor's.
func (r *results) beside(v *verdict) string {
	m := r.at(v.Point)
	words := func(name string) string {
		f, ok := m.median(name)
		if !ok {
			return ""
		}
		return fmt.Sprintf("%s %s a second (median latency %.2f ms, %.3f syncs each, CPU %.3f s for 10,000)",
			lookOf(name).title, thousands(f.PerSecond), f.P50, f.Flushes, f.CPU)
	}
	out := words("quorate")
	for _, name := range []string{v.Peer, "floor"} {
		if s := words(name); s != "" {
			out += "; " + s
		}
	}
	if s, ok := m.ratios(v.Peer); ok {
		out += fmt.Sprintf(". Over %s %.2f (%.2f to %.2f)", lookOf(v.Peer).title, s.median, s.low, s.high)
	}
	return out + "."
}
