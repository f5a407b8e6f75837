package health

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/controllers/observe/observetest"
)

// TestStories runs testdata: each "conditions" is a picture in the words of
// observetest.Read, and below ---- stand the conditions. -rewrite writes those anew.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "conditions" {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			o, err := observetest.Read(d.Input)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			var b strings.Builder
			for _, c := range Conditions(o) {
				fmt.Fprintf(&b, "%s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
			}
			return b.String()
		})
	})
}
