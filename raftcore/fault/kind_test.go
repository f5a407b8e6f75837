package fault

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kinds reads the constants of type Kind from the source, so that none is forgotten.
func kinds(t *testing.T) map[string]Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "kind.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Kind{}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Kind" {
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found[v.Names[0].Name] = Kind(text)
		}
		return true
	})
	if len(found) < 10 {
		t.Fatalf("only %d kinds were found in kind.go", len(found))
	}
	return found
}

func TestEveryKindHasARemedy(t *testing.T) {
	ks := kinds(t)
	for name, k := range ks {
		if name != string(k) {
			t.Errorf("the constant %s is %q: the name is what people search for", name, k)
		}
		if _, ok := remedies[k]; !ok {
			t.Errorf("%s has no remedy", name)
		}
	}
	if len(remedies) != len(ks) {
		t.Errorf("there are %d remedies for %d kinds", len(remedies), len(ks))
	}
	if r := Kind("Unheard").Remedy(); r != Operator {
		t.Errorf("the remedy of an unknown kind is %s", r)
	}
}

// TestEveryKindIsDocumented looks for "| `Kind` | `Remedy` |" in the users' table, whatever
// the columns beside are.
func TestEveryKindIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("docs/faults.md is not there")
	} else if err != nil {
		t.Fatal(err)
	}
	for name, k := range kinds(t) {
		documented := false
		for line := range strings.Lines(string(text)) {
			documented = documented || strings.HasPrefix(line, "|") && strings.Contains(line, string(k)) && strings.Contains(line, string(k.Remedy()))
		}
		if !documented {
			t.Errorf("docs/faults.md has no row for %s with the remedy %s", name, k.Remedy())
		}
	}
}

func TestFaultIsAnError(t *testing.T) {
	cause := errors.New("input/output error")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	f := New(FsyncFailed, at, cause, "syncing %s", "000001.seg")
	if f.Error() != "FsyncFailed: syncing 000001.seg: input/output error" || !errors.Is(f, cause) {
		t.Errorf("got %q", f.Error())
	}
	if f.At.Location() != time.UTC || !f.At.Equal(at) {
		t.Errorf("the time is %v", f.At)
	}
}

func TestDecisionNames(t *testing.T) {
	for d, want := range map[Decision]string{Hold: "Hold", Die: "Die", RestartMember: "Restart", 9: "Decision(9)"} {
		if d.String() != want {
			t.Errorf("%d is %q", d, d)
		}
	}
}
