package replica

import (
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
)

// TestEveryRoleHandlesEveryKind holds the dispatch table against the kinds of messages
// and against the picture in its comment.
func TestEveryRoleHandlesEveryKind(t *testing.T) {
	got := map[string][]string{}
	for _, k := range protocol.MessageKinds() {
		for role := range roles {
			h := dispatch[role][k]
			if h == nil {
				t.Fatalf("%v has no handler for %v", role, k)
			}
			got[k.String()] = append(got[k.String()], handlerName(h))
		}
	}
	head, want := picture(t)
	var names []string
	for role := range roles {
		names = append(names, role.String())
	}
	if d := cmp.Diff(names, head); d != "" {
		t.Errorf("columns of the picture (-table +picture):\n%s", d)
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("dispatch (-table +picture):\n%s", d)
	}
}

func handlerName(h handler) string {
	n := runtime.FuncForPC(reflect.ValueOf(h).Pointer()).Name()
	return n[strings.LastIndexByte(n, '.')+1:]
}

// picture reads the table in the comment of dispatch.
func picture(t *testing.T) (head []string, rows map[string][]string) {
	src, err := os.ReadFile("dispatch.go")
	if err != nil {
		t.Fatal(err)
	}
	rows = map[string][]string{}
	for line := range strings.Lines(string(src)) {
		line, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "" {
			head = cells[1:]
		} else {
			rows[cells[0]] = cells[1:]
		}
	}
	return head, rows
}
