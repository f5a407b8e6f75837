package repotest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// roomOf gives the room with the longest path that dir lies in; the root is a room
// for main.go alone, not for folders that nobody placed.
func roomOf(dir string) *room {
	var best *room
	for i, r := range rooms {
		if (r.dir == "." && dir != ".") || !within(dir, r.dir) {
			continue
		}
		if best == nil || len(r.dir) > len(best.dir) {
			best = &rooms[i]
		}
	}
	return best
}

// mayImport gives every room that r may import: what it names, and so on.
func mayImport(r *room) map[string]bool {
	all := map[string]bool{r.dir: true}
	todo := slices.Clone(r.may)
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if all[name] {
			continue
		}
		all[name] = true
		for _, other := range rooms {
			if other.dir == name {
				todo = append(todo, other.may...)
			}
		}
	}
	return all
}

func roomless(t *Tree) []Problem {
	var ps []Problem
	for _, p := range t.packages() {
		if !t.isNested(p.Dir) && roomOf(p.Dir) == nil {
			ps = append(ps, Problem{p.Dir, "this package is in no room: add it to internal/repotest/rooms.go"})
		}
	}
	return ps
}

// arrows looks at code, not at tests: those may use the tools and suites.
func arrows(t *Tree) []Problem {
	var ps []Problem
	eachImport(t, func(p *Package, f *File, spec *ast.ImportSpec) {
		to, ours := ownFolder(importPath(spec))
		from, target := roomOf(p.Dir), roomOf(to)
		if f.Test || !ours || from == nil || target == nil || mayImport(from)[target.dir] {
			return
		}
		ps = append(ps, Problem{t.at(spec), fmt.Sprintf(
			"room %s must not import room %s: no arrow leads there (internal/repotest/rooms.go)", from.dir, target.dir)})
	})
	return ps
}

func forbiddenImports(t *Tree) []Problem {
	var ps []Problem
	eachImport(t, func(p *Package, f *File, spec *ast.ImportSpec) {
		name := importPath(spec)
		if to, ours := ownFolder(name); ours {
			name = "./" + to
		}
		for _, rule := range forbiddens {
			if rule.forbids(f, p.Dir, name) {
				ps = append(ps, Problem{t.at(spec), fmt.Sprintf("%s must not import %s: %s", p.Dir, name, rule.reason)})
			}
		}
	})
	return ps
}

// forbids reports whether the file must not import name. "net" covers "net/http" too,
// and "k8s.io" every module there.
func (rule forbidden) forbids(f *File, dir, name string) bool {
	if f.Test && !rule.tests {
		return false
	}
	from := slices.ContainsFunc(rule.from, func(r string) bool { return within(dir, r) || f.Path == r })
	return from && slices.ContainsFunc(rule.imports, func(i string) bool { return within(name, i) })
}

func ownFolder(name string) (string, bool) {
	if name == Module {
		return ".", true
	}
	return strings.CutPrefix(name, Module+"/")
}

// eachImport visits the imports of this module's packages, generated files included.
func eachImport(t *Tree, visit func(*Package, *File, *ast.ImportSpec)) {
	for _, p := range t.packages() {
		if t.isNested(p.Dir) {
			continue
		}
		for _, f := range p.Files {
			for _, spec := range f.Syntax.Imports {
				visit(p, f, spec)
			}
		}
	}
}

// goroutines finds what makes the pure rooms other than pure and is no import.
func goroutines(t *Tree) []Problem {
	var ps []Problem
	for _, p := range t.packages() {
		if !slices.ContainsFunc(pure, func(r string) bool { return within(p.Dir, r) }) {
			continue
		}
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			ast.Inspect(f.Syntax, func(n ast.Node) bool {
				if what := concurrent(n); what != "" {
					ps = append(ps, Problem{t.at(n), what + " in " + p.Dir + ": replay must be exact"})
				}
				return true
			})
		}
	}
	return ps
}

func concurrent(n ast.Node) string {
	switch n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.SelectStmt:
		return "a select statement"
	case *ast.ChanType:
		return "a channel"
	}
	return ""
}

// testingInTests keeps the flags and the weight of package testing out of binaries.
func testingInTests(t *Tree) []Problem {
	var ps []Problem
	eachImport(t, func(p *Package, f *File, spec *ast.ImportSpec) {
		if within(importPath(spec), "testing") && !f.Test && !f.suite() {
			ps = append(ps, Problem{t.at(spec), "package " + f.Syntax.Name.Name + " imports " + importPath(spec) +
				": only test files and packages named …test may"})
		}
	})
	return ps
}
