package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the Go module, the prefix of every import of our own.
const Module = "github.com/quorate/quorate"

// Problem is one thing that is not as it should be.
type Problem struct {
	Where string // path, with :line where there is one
	What  string // what is wrong and what to do
}

func (p Problem) String() string { return p.Where + ": " + p.What }

// Check is one property of the repository.
type Check struct {
	Name string
	Run  func(*Tree) []Problem
}

// Checks are all there are.
var Checks = []Check{
	{"every package has a name-plate", namePlates},
	{"maps tell of every room", mapsAreComplete},
	{"every package belongs to a room", roomless},
	{"imports follow the arrows", arrows},
	{"no forbidden import", forbiddenImports},
	{"the replica is deterministic", goroutines},
	{"testing stays in tests", testingInTests},
	{"functions fit a screen", longFunctions},
	{"files stay short", longFiles},
	{"documents name what exists", documentPaths},
	{"documents quote code as it is", quotedCode},
	{"the architecture names code that exists", documentNames},
	{"every feature has a proof or an open issue", features},
	{"every message, condition and option is explained", explained},
	{"the page of conditions has what there is", unknownReasons},
	{"every reason is a constant", unnamedReasons},
	{"contracts are kept and seen to be", contractsKept},
	{"decisions are dated and weigh alternatives", decisions},
	{"the Makefile has the contract's targets", makeTargets},
	{"the tests of every module are run", testedModules},
	{"no file knows the machine it was written on", machineWords},
}

// Tree is a repository in memory: the text of every file, and the syntax of Go files.
type Tree struct {
	Text     map[string]string   // by path; files that are not text are absent
	Dirs     map[string]bool     // every folder
	Packages map[string]*Package // by folder, "." for the root
	nested   []string            // folders with a go.mod of their own
	fset     *token.FileSet
}

// Package is the Go files of one folder, the tests' included.
type Package struct {
	Dir   string
	Files []*File
}

// File is one Go file.
type File struct {
	Path      string
	Syntax    *ast.File
	Test      bool // *_test.go
	Generated bool
}

// suite reports whether the file belongs to a package of tests for others to run.
func (f *File) suite() bool { return strings.HasSuffix(f.Syntax.Name.Name, "test") }

// skipped are folders that git does not track, or whose files are data.
var skipped = []string{".git", "bin", "dist", "quorate-dev"}

// Load reads the repository.
func Load(root fs.FS) (*Tree, error) {
	t := &Tree{
		Text: map[string]string{}, Dirs: map[string]bool{}, Packages: map[string]*Package{},
		fset: token.NewFileSet(),
	}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(skipped, d.Name()):
			return fs.SkipDir
		case d.IsDir():
			t.Dirs[name] = true
			return nil
		case !d.Type().IsRegular(), name == ".git": // a file in a tree beside the clone's own
			return nil
		}
		return t.load(root, name)
	})
	return t, err
}

func (t *Tree) load(root fs.FS, name string) error {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	if strings.ContainsRune(string(text), 0) {
		t.Text[name] = ""
		return nil
	}
	t.Text[name] = string(text)
	if path.Base(name) == "go.mod" && name != "go.mod" {
		t.nested = append(t.nested, path.Dir(name))
	}
	if path.Ext(name) != ".go" || inTestdata(name) {
		return nil
	}
	syntax, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if t.Packages[dir] == nil {
		t.Packages[dir] = &Package{Dir: dir}
	}
	t.Packages[dir].Files = append(t.Packages[dir].Files, &File{
		Path: name, Syntax: syntax,
		Test: strings.HasSuffix(name, "_test.go"), Generated: ast.IsGenerated(syntax),
	})
	return nil
}

func inTestdata(name string) bool { return slices.Contains(strings.Split(name, "/"), "testdata") }

// packages gives all packages by folder, ascending.
func (t *Tree) packages() []*Package {
	var all []*Package
	for _, p := range t.Packages {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *Package) int { return strings.Compare(a.Dir, b.Dir) })
	return all
}

// files gives all Go files, package by package.
func (t *Tree) files() []*File {
	var all []*File
	for _, p := range t.packages() {
		all = append(all, p.Files...)
	}
	return all
}

// paths gives the files whose name ends so, ascending.
func (t *Tree) paths(suffix string) []string {
	var names []string
	for name := range t.Text {
		if strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// exists reports whether there is a file or folder with the path.
func (t *Tree) exists(name string) bool {
	_, file := t.Text[name]
	return file || t.Dirs[name]
}

// isNested reports whether the folder belongs to a module of its own.
func (t *Tree) isNested(dir string) bool {
	return slices.ContainsFunc(t.nested, func(n string) bool { return within(dir, n) })
}

func (t *Tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// within reports whether dir is the folder root or lies under it.
func within(dir, root string) bool {
	return root == "." || dir == root || strings.HasPrefix(dir, root+"/")
}

func importPath(s *ast.ImportSpec) string {
	p, err := strconv.Unquote(s.Path.Value)
	if err != nil {
		return s.Path.Value
	}
	return p
}
