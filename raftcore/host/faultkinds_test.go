package host_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// TestKindsAreComplete reads the kinds of faults from their source, and wants a test for each,
// here or in package node/server, that meets such a fault: as a row of a table, compared with
// the kind of a fault, or awaited.
func TestKindsAreComplete(t *testing.T) {
	met := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "../../node/server/*_test.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			ast.Inspect(parse(t, name), func(n ast.Node) bool {
				for _, kind := range wantedKinds(n) {
					met[kind] = true
				}
				return true
			})
		}
	}
	kinds := 0
	ast.Inspect(parse(t, "../fault/kind.go"), func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Kind" {
			kinds++
			if !met[v.Names[0].Name] {
				t.Errorf("no test meets the fault %s", v.Names[0].Name)
			}
		}
		return true
	})
	if kinds < 10 {
		t.Errorf("only %d kinds were found in their source", kinds)
	}
}

func parse(t *testing.T, name string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// wantedKinds gives the kinds of faults that a test wants by this expression.
func wantedKinds(n ast.Node) (kinds []string) {
	var places []ast.Expr
	switch n := n.(type) {
	case *ast.CompositeLit:
		places = n.Elts
	case *ast.KeyValueExpr:
		places = []ast.Expr{n.Value}
	case *ast.BinaryExpr:
		if s, ok := n.X.(*ast.SelectorExpr); ok && s.Sel.Name == "Kind" {
			places = []ast.Expr{n.Y}
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "awaitFault" {
			places = n.Args
		}
	}
	for _, p := range places {
		if s, ok := p.(*ast.SelectorExpr); ok {
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "fault" {
				kinds = append(kinds, s.Sel.Name)
			}
		}
	}
	return kinds
}
