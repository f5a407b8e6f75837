package repotest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	conditionsFile = "api/v1alpha1/conditions.go"
	conditionsPage = "docs/conditions.md"
)

var reasonRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\|(.*)\\|$")

// unknownReasons wants every reason on the page of conditions to be a constant, and each row
// to say all that its table has columns for.
func unknownReasons(t *Tree) []Problem {
	known := t.constants(conditionsFile, "Reason", "")
	var ps []Problem
	for _, m := range reasonRow.FindAllStringSubmatch(t.Text[conditionsPage], -1) {
		if !slices.Contains(known, m[1]) {
			ps = append(ps, Problem{conditionsPage, fmt.Sprintf("explains %s, which %s does not have", m[1], conditionsFile)})
		}
		for _, cell := range strings.Split(m[2], " | ") {
			if strings.TrimSpace(cell) == "" {
				ps = append(ps, Problem{conditionsPage, fmt.Sprintf("the row of %s has an empty cell", m[1])})
			}
		}
	}
	return ps
}

// reasonArguments are functions of the operator that take the reason of a condition or of an
// Event, and where.
var reasonArguments = map[string]int{"event": 3, "note": 1, "act": 1, "condition": 2}

// unnamedReasons wants every reason that the operator tells to be a constant of the API, by
// name: only those are on the page of conditions.
func unnamedReasons(t *Tree) []Problem {
	var ps []Problem
	for _, f := range t.files() {
		if dir := path.Dir(f.Path); f.Test || !within(dir, "controllers") || strings.HasSuffix(dir, "test") {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if lit := literalReason(n); lit != nil {
				ps = append(ps, Problem{f.Path, fmt.Sprintf("tells the reason %s by a literal: make it a constant in %s", lit.Value, conditionsFile)})
			}
			return true
		})
	}
	return ps
}

// literalReason gives a string that stands where a reason belongs, nil for none.
func literalReason(n ast.Node) *ast.BasicLit {
	switch n := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if at, ok := reasonArguments[name]; ok && at < len(n.Args) {
			return text(n.Args[at])
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Reason" {
			return text(n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if id, ok := left.(*ast.Ident); ok && id.Name == "reason" && len(n.Rhs) == len(n.Lhs) {
				return text(n.Rhs[i])
			}
		}
	}
	return nil
}

// text gives a string literal that is not empty, nil for anything else.
func text(e ast.Expr) *ast.BasicLit {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING && lit.Value != `""` {
		return lit
	}
	return nil
}
