package repotest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
)

var (
	linkPattern  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codePattern  = regexp.MustCompile("`([^`\n]+)`")
	fencePattern = regexp.MustCompile("(?s)```.*?```")
	pathPattern  = regexp.MustCompile(`(?:^|[\s(\["'])((?:api|charts|cmd|config|controllers|docs|hack|internal|node|raftcore|test|\.ci)/[\w./-]+)`)
	filePattern  = regexp.MustCompile(`(?:^|[\s(\["])([a-z][a-z0-9_]*\.go)\b(\sof\spackage)?`)
	namePattern  = regexp.MustCompile(`^([a-z][a-z0-9]*)\.([A-Za-z]\w*)(?:\.([A-Za-z]\w*))?$`)
)

// documentPaths wants links and paths in Markdown files, and paths in package
// comments, to exist. A path with NNNN in it is a pattern, not a path.
func documentPaths(t *Tree) []Problem {
	var ps []Problem
	for _, name := range t.paths(".md") {
		if inTestdata(name) {
			continue
		}
		text := fencePattern.ReplaceAllString(t.Text[name], "")
		for _, m := range linkPattern.FindAllStringSubmatch(text, -1) {
			ps = append(ps, t.linkProblems(name, m[1])...)
		}
		for _, m := range codePattern.FindAllStringSubmatch(text, -1) {
			ps = append(ps, t.pathProblems(name, m[1])...)
		}
	}
	for _, f := range t.files() {
		ps = append(ps, t.pathProblems(f.Path, f.Syntax.Doc.Text())...)
		ps = append(ps, t.fileProblems(f)...)
	}
	return ps
}

// fileProblems wants Go files that a package comment names to be in its folder. "x.go of
// package y" is a file of another one.
func (t *Tree) fileProblems(f *File) []Problem {
	var ps []Problem
	for _, m := range filePattern.FindAllStringSubmatch(f.Syntax.Doc.Text(), -1) {
		if m[2] == "" && !t.exists(path.Join(path.Dir(f.Path), m[1])) {
			ps = append(ps, Problem{f.Path, "names " + m[1] + ", which is not in this folder"})
		}
	}
	return ps
}

func (t *Tree) linkProblems(file, target string) []Problem {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "#") || strings.HasPrefix(target, "mailto:") {
		return nil
	}
	target, _, _ = strings.Cut(target, "#")
	if full := path.Join(path.Dir(file), target); !t.exists(full) {
		return []Problem{{file, "links to " + full + ", which does not exist"}}
	}
	return nil
}

func (t *Tree) pathProblems(file, text string) []Problem {
	var ps []Problem
	for _, m := range pathPattern.FindAllStringSubmatch(text, -1) {
		name := strings.TrimRight(m[1], "./-")
		if !t.exists(name) && !strings.Contains(name, "NNNN") {
			ps = append(ps, Problem{file, "names " + name + ", which does not exist"})
		}
	}
	return ps
}

var quotePattern = regexp.MustCompile("(?s)<!-- from (\\S+) -->\n```go\n(.*?)\n```")

// quotedCode wants the Go code in documents to be in the file that a comment names before it:
// code that is compiled and run by a test.
func quotedCode(t *Tree) []Problem {
	var ps []Problem
	for _, name := range t.paths(".md") {
		for _, m := range quotePattern.FindAllStringSubmatch(t.Text[name], -1) {
			if !strings.Contains(t.Text[m[1]], m[2]+"\n") {
				first, _, _ := strings.Cut(m[2], "\n")
				ps = append(ps, Problem{name, fmt.Sprintf("the code that begins with %q is not so in %s: copy it from there", first, m[1])})
			}
		}
	}
	return ps
}

// documentNames wants every name in ARCHITECTURE.md that is written as code in the
// form package.Name or package.Type.Method to be declared in this repository.
func documentNames(t *Tree) []Problem {
	const file = "ARCHITECTURE.md"
	names := t.declared()
	var ps []Problem
	for _, m := range codePattern.FindAllStringSubmatch(fencePattern.ReplaceAllString(t.Text[file], ""), -1) {
		// "plan.go" is a file, and "http.Server" somebody else's: those are not ours.
		if namePattern.MatchString(m[1]) && path.Ext(m[1]) != ".go" && !names[m[1]] {
			ps = append(ps, Problem{file, fmt.Sprintf("names %s, which no package of this repository declares", m[1])})
		}
	}
	return ps
}

// declared gives the package-level names, methods and fields of our packages.
func (t *Tree) declared() map[string]bool {
	names := map[string]bool{}
	for _, f := range t.files() {
		for _, d := range f.Syntax.Decls {
			for _, n := range declaredBy(d) {
				names[f.Syntax.Name.Name+"."+n] = true
			}
		}
	}
	return names
}

func declaredBy(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return []string{d.Name.Name}
		}
		return []string{receiver(d.Recv.List[0].Type) + "." + d.Name.Name}
	case *ast.GenDecl:
		var names []string
		for _, s := range d.Specs {
			names = append(names, declaredBySpec(s)...)
		}
		return names
	}
	return nil
}

func declaredBySpec(s ast.Spec) []string {
	var names []string
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			names = append(names, n.Name)
		}
	case *ast.TypeSpec:
		names = append(names, s.Name.Name)
		for _, member := range members(s.Type) {
			names = append(names, s.Name.Name+"."+member)
		}
	}
	return names
}

// members gives the fields of a struct or the methods of an interface.
func members(e ast.Expr) []string {
	var list *ast.FieldList
	switch e := e.(type) {
	case *ast.StructType:
		list = e.Fields
	case *ast.InterfaceType:
		list = e.Methods
	default:
		return nil
	}
	var names []string
	for _, f := range list.List {
		for _, n := range f.Names {
			names = append(names, n.Name)
		}
	}
	return names
}

// receiver gives the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// tests gives the names of the tests, benchmarks, fuzz targets and examples that are
// declared in a file, or in any file of a folder.
func (t *Tree) tests(name string) []string {
	var names []string
	for _, f := range t.files() {
		if !f.Test || (f.Path != name && path.Dir(f.Path) != name) {
			continue
		}
		for _, d := range f.Syntax.Decls {
			names = append(names, declaredBy(d)...)
		}
	}
	return names
}

// constants gives the words that a file's constants stand for: see vocabularies.
func (t *Tree) constants(file, prefix, typ string) []string {
	var words []string
	for _, f := range t.files() {
		if f.Path != file {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			s, ok := n.(*ast.ValueSpec)
			if !ok || len(s.Values) != 1 || !strings.HasPrefix(s.Names[0].Name, prefix) || types(s.Type) != typ {
				return true
			}
			if v, ok := s.Values[0].(*ast.BasicLit); ok && v.Kind == token.STRING {
				words = append(words, strings.Trim(v.Value, `"`))
			} else {
				words = append(words, strings.TrimPrefix(s.Names[0].Name, prefix))
			}
			return true
		})
	}
	return words
}

// types gives the name of a declaration's type, empty where none is written.
func types(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
