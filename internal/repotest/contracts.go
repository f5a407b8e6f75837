package repotest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// contracts are the interfaces that people may implement, each with the conformance suite
// that judges an implementation.
var contracts = []struct{ dir, name, suite string }{
	{"raftcore/codec", "Serializer", "codectest.TestSerializer"},
	{"raftcore/transport", "Comms", "transporttest.Test"},
	{"raftcore/storage", "Log", "storagetest.TestLog"},
	{"raftcore/storage", "Votes", "storagetest.TestVotes"},
	{"raftcore/storage", "Snapshots", "storagetest.TestSnapshots"},
	{"raftcore/machine", "StateMachine", "machinetest.TestStateMachine"},
	{"raftcore/vfs", "FS", "vfstest.TestFS"},
}

// contractsKept wants of every type that has a contract's methods, tests' own left out, an
// assertion that the compiler checks and a run of the suite in its package's tests.
func contractsKept(t *Tree) []Problem {
	var ps []Problem
	for _, c := range contracts {
		methods := t.interfaceMethods(c.dir, c.name)
		for _, p := range t.packages() {
			if len(methods) == 0 || t.isNested(p.Dir) {
				continue
			}
			for _, typ := range p.typesWith(methods) {
				ps = append(ps, p.contractProblems(c.name, c.suite, typ)...)
			}
		}
	}
	return ps
}

func (p *Package) contractProblems(contract, suite, typ string) []Problem {
	var ps []Problem
	if !p.asserts(contract, typ) {
		ps = append(ps, Problem{p.Dir, fmt.Sprintf("%s has the methods of %s: write \"var _ %s = …\" so that the compiler sees to it", typ, contract, contract)})
	}
	if !p.testsCall(suite) {
		ps = append(ps, Problem{p.Dir, fmt.Sprintf("%s has the methods of %s: run %s in a test", typ, contract, suite)})
	}
	return ps
}

// interfaceMethods gives the names of an interface's own methods.
func (t *Tree) interfaceMethods(dir, name string) []string {
	p := t.Packages[dir]
	if p == nil {
		return nil
	}
	var found []string
	for _, f := range p.Files {
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok && s.Name.Name == name {
				found = members(s.Type)
			}
			return true
		})
	}
	return found
}

// typesWith gives the types of a package that declare all of the methods outside tests.
func (p *Package) typesWith(methods []string) []string {
	has := map[string][]string{}
	for _, f := range p.Files {
		if f.Test {
			continue
		}
		for _, d := range f.Syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
				typ := receiver(fn.Recv.List[0].Type)
				has[typ] = append(has[typ], fn.Name.Name)
			}
		}
	}
	var types []string
	for typ, declared := range has {
		if !slices.ContainsFunc(methods, func(m string) bool { return !slices.Contains(declared, m) }) {
			types = append(types, typ)
		}
	}
	slices.Sort(types)
	return types
}

// asserts reports whether the package has "var _ contract = …" that names the type, or a
// wider interface of the same package in place of the contract, such as Durable.
func (p *Package) asserts(contract, typ string) bool {
	found := false
	for _, f := range p.Files {
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			s, ok := n.(*ast.ValueSpec)
			if !ok || s.Names[0].Name != "_" || s.Type == nil {
				return true
			}
			if slices.Contains(wider(contract), lastName(s.Type)) {
				ast.Inspect(s, func(n ast.Node) bool {
					id, ok := n.(*ast.Ident)
					found = found || ok && id.Name == typ
					return true
				})
			}
			return true
		})
	}
	return found
}

// wider gives the interfaces that contain the contract, itself included.
func wider(contract string) []string {
	if contract == "StateMachine" {
		return []string{contract, "Durable", "Keeper", "ClientAPI"}
	}
	return []string{contract}
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// testsCall reports whether a test of the package calls the function, package.Name.
func (p *Package) testsCall(function string) bool {
	pkg, name, _ := strings.Cut(function, ".")
	found := false
	for _, f := range p.Files {
		if !f.Test {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == name && lastName(s.X) == pkg {
				found = true
			}
			return true
		})
	}
	return found
}
