package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	cases := []struct {
		name   string
		events string
		want   []string // lines that must be there
		not    string   // what must not
		ok     bool
	}{
		{
			name: "a pass counts its subtests aside",
			events: `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.01s)\n"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}`,
			want: []string{"--- PASS: TestA (0.01s)", "ok  \tp\t0.1s", "1 passed, 0 failed, 0 skipped (and 1 subtests within them)"},
			not:  "chatter",
			ok:   true,
		},
		{
			name: "a failure shows its output and its name",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"x_test.go:1: got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			want: []string{"x_test.go:1: got 1, want 2", "FAILED p.TestA", "0 passed, 1 failed, 0 skipped (and 0 subtests within them)"},
		},
		{
			name: "a package that does not compile has failed",
			events: `{"ImportPath":"p","Action":"build-output","Output":"x.go:1: undefined: y\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			want: []string{"x.go:1: undefined: y", "FAILED p", "0 passed, 1 failed, 0 skipped (and 0 subtests within them)"},
		},
		{
			name: "a test that never ended has failed, once",
			events: `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			want: []string{"--- FAIL: TestA (started and never ended)", "0 passed, 1 failed, 0 skipped (and 0 subtests within them)"},
		},
		{
			name:   "go test was killed",
			events: `{"Action":"start","Package":"p"}`,
			want:   []string{"FAIL\tp (started and never ended)", "0 passed, 1 failed, 0 skipped (and 0 subtests within them)"},
		},
		{
			name:   "nothing ran",
			events: `go: cannot find main module`,
			want:   []string{"go: cannot find main module", "0 passed, 0 failed, 0 skipped (and 0 subtests within them)"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			err := run(true, nil, strings.NewReader(c.events), &out)
			if ok := err == nil; ok != c.ok || (!ok && !errors.Is(err, errFailed)) {
				t.Errorf("run gave %v, want success %v", err, c.ok)
			}
			lines := strings.Split(out.String(), "\n")
			for _, want := range c.want {
				if !slices.Contains(lines, want) {
					t.Errorf("no line %q in\n%s", want, out.String())
				}
			}
			if c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("%q is in\n%s", c.not, out.String())
			}
		})
	}
}

func TestALostRunHasFailed(t *testing.T) {
	var out strings.Builder
	if err := run(false, []string{t.TempDir() + "/gone.json"}, nil, &out); !errors.Is(err, errFailed) {
		t.Errorf("run gave %v, want %v", err, errFailed)
	}
	if want := "0 passed, 1 failed, 0 skipped (and 0 subtests within them)\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("it ends not with %q:\n%s", want, out.String())
	}
}
