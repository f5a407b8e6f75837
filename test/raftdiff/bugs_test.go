package raftdiff

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// bugNamed gives the bit of a bug of package mutation, which is internal to raftcore: nobody else
// should be able to switch one on. Its constants are 1 << iota, in one list.
func bugNamed(t *testing.T, name string) uint64 {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../raftcore/internal/mutation/mutation.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for i, s := range g.Specs {
			if s.(*ast.ValueSpec).Names[0].Name == name {
				return 1 << i
			}
		}
	}
	t.Fatalf("package mutation has no bug %s", name)
	return 0
}
