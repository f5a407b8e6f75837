package observetest

import (
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/controllers/observe"
)

// Stories runs the stories in testdata. Each is a picture in the words of [Read], under
// the one command that there is, and below ---- stands what tell says about it. -rewrite
// writes that anew.
func Stories(t *testing.T, command string, tell func(*observe.Observed) string) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != command {
				d.Fatalf(t, "unknown command %q, there is only %q", d.Cmd, command)
			}
			o, err := Read(d.Input)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			return tell(o)
		})
	})
}
