package health

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/observe/observetest"
)

// TestStories runs testdata: below each picture stand its conditions.
func TestStories(t *testing.T) {
	observetest.Stories(t, "conditions", func(o *observe.Observed) string {
		var b strings.Builder
		for _, c := range Conditions(o) {
			fmt.Fprintf(&b, "%s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
		}
		return b.String()
	})
}
