package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of go test -json (see "go doc cmd/test2json").
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
}

// key names a test; test is "" for its package.
type key struct{ pkg, test string }

func (k key) String() string {
	if k.test == "" {
		return k.pkg
	}
	return k.pkg + "." + k.test
}

// summary collects events and prints as it goes.
type summary struct {
	out     io.Writer
	verbose bool

	output  map[key][]string // of tests that run
	running map[key]bool
	failed  map[string]int // failed tests by package

	passes, fails, skips, subtests int
	failures                       []string
}

func newSummary(out io.Writer, verbose bool) *summary {
	return &summary{
		out: out, verbose: verbose,
		output: map[key][]string{}, running: map[key]bool{}, failed: map[string]int{},
	}
}

// read takes events, one a line. A line that is no event is printed as it is: go test
// writes such lines when it cannot even start.
func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		s.print(strings.TrimRight(line, "\n") + "\n")
		return
	}
	s.add(e)
}

func (s *summary) add(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "start", "run":
		s.running[k] = true
	case "output":
		s.keep(k, e.Output)
	case "build-output":
		s.print(e.Output)
	case "pass", "fail", "skip":
		s.end(k, e.Action)
	}
}

// keep holds a test's output back until it is known whether it is wanted. A
// package's own lines are printed at once.
func (s *summary) keep(k key, text string) {
	if k.test != "" {
		s.output[k] = append(s.output[k], text)
		return
	}
	if text != "PASS\n" && text != "FAIL\n" {
		s.print(text)
	}
}

func (s *summary) end(k key, action string) {
	delete(s.running, k)
	if k.test == "" {
		s.endPackage(k, action)
		return
	}
	text := s.output[k]
	delete(s.output, k)
	sub := strings.Contains(k.test, "/")
	switch {
	case action == "fail":
		for _, line := range text {
			s.print(line)
		}
	case s.verbose && !sub:
		s.print(verdict(text))
	}
	if sub {
		s.subtests++
	}
	s.count(k, action, sub)
}

// count counts tests by their top level: a failed subtest fails its parent anyway.
func (s *summary) count(k key, action string, sub bool) {
	if sub {
		return
	}
	switch action {
	case "pass":
		s.passes++
	case "skip":
		s.skips++
	case "fail":
		s.fail(k)
	}
}

func (s *summary) fail(k key) {
	s.fails++
	s.failed[k.pkg]++
	s.failures = append(s.failures, k.String())
}

// lost counts a whole run that left no events: none of its tests is known to pass.
func (s *summary) lost(name string, err error) {
	s.print(fmt.Sprintf("FAIL\t%s: %v\n", name, err))
	s.fail(key{pkg: name})
}

// endPackage counts a package that failed without a test of its own to blame.
func (s *summary) endPackage(k key, action string) {
	for _, open := range s.open(k.pkg) {
		s.unfinished(open)
	}
	if action == "fail" && s.failed[k.pkg] == 0 {
		s.fail(k)
	}
}

func (s *summary) open(pkg string) []key {
	var keys []key
	for k := range s.running {
		if k.pkg == pkg && k.test != "" {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.test, b.test) })
	return keys
}

func (s *summary) unfinished(k key) {
	delete(s.running, k)
	for _, line := range s.output[k] {
		s.print(line)
	}
	s.print(fmt.Sprintf("--- FAIL: %s (started and never ended)\n", k.test))
	if !strings.Contains(k.test, "/") {
		s.fail(k)
	}
}

// finish prints the counts and reports whether all is well. A package that started
// and never ended (go test itself was killed) has failed.
func (s *summary) finish() bool {
	left := slices.Collect(maps.Keys(s.running))
	slices.SortFunc(left, func(a, b key) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range left {
		if k.test == "" {
			s.print("FAIL\t" + k.pkg + " (started and never ended)\n")
			s.endPackage(k, "fail")
		}
	}
	for _, name := range s.failures {
		s.print("FAILED " + name + "\n")
	}
	s.print(fmt.Sprintf("%d passed, %d failed, %d skipped (and %d subtests within them)\n", s.passes, s.fails, s.skips, s.subtests))
	return s.fails == 0 && s.passes > 0
}

func (s *summary) print(text string) { _, _ = io.WriteString(s.out, text) }

// verdict gives go test's own last word on a test, such as "--- PASS: TestX (0.01s)".
func verdict(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if strings.HasPrefix(line, "--- ") {
			return line
		}
	}
	return ""
}
