package repotest

import (
	"fmt"
	"go/ast"
	"strings"
)

// The bounds of a screen. Tests and suites, whose tables are long, and generated code are
// exempt.
const (
	maxFunctionLines = 70
	maxFileLines     = 400
)

// longFileReasons are files that may be longer, with the reason.
var longFileReasons = map[string]string{}

func longFunctions(t *Tree) []Problem {
	var ps []Problem
	for _, f := range t.files() {
		if f.Test || f.Generated || f.suite() {
			continue
		}
		for _, d := range f.Syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := t.lines(fn); n > maxFunctionLines {
				ps = append(ps, Problem{t.at(fn), fmt.Sprintf("function %s has %d lines, at most %d fit a screen", fn.Name.Name, n, maxFunctionLines)})
			}
		}
	}
	return ps
}

// lines counts a function's lines without its comment.
func (t *Tree) lines(fn *ast.FuncDecl) int {
	return t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line + 1
}

func longFiles(t *Tree) []Problem {
	var ps []Problem
	for _, f := range t.files() {
		n := strings.Count(t.Text[f.Path], "\n")
		if f.Test || f.Generated || f.suite() || n <= maxFileLines || longFileReasons[f.Path] != "" {
			continue
		}
		ps = append(ps, Problem{f.Path, fmt.Sprintf("%d lines, at most %d: split it by what its parts are about", n, maxFileLines)})
	}
	return ps
}
