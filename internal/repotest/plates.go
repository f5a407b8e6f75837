package repotest

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// headings are what every name-plate tells, in this order.
var headings = []string{"In this room", "Never here", "Invariants", "How to add"}

// namePlates wants each package's comment in doc.go (or in the only file of a small
// package), attached to the package clause, once, with the four headings.
func namePlates(t *Tree) []Problem {
	var ps []Problem
	for _, p := range t.packages() {
		if what := p.plateProblem(); what != "" {
			ps = append(ps, Problem{p.Dir, what})
		}
	}
	return ps
}

func (p *Package) plateProblem() string {
	var code, documented []*File
	for _, f := range p.Files {
		if f.Generated || (f.Test && path.Base(f.Path) != "doc_test.go") {
			continue
		}
		code = append(code, f)
		if f.Syntax.Doc.Text() != "" {
			documented = append(documented, f)
		}
	}
	switch {
	case len(documented) == 0:
		return "no package comment, or a blank line between it and the package clause: write doc.go"
	case len(documented) > 1:
		return fmt.Sprintf("package comments in %s and %s: Go runs them together, keep one", documented[0].Path, documented[1].Path)
	case path.Base(documented[0].Path) != "doc.go" && len(code) > 1:
		return "the package comment is in " + documented[0].Path + ": move it to doc.go"
	}
	return commentProblem(documented[0].Syntax.Doc.Text(), documented[0].Syntax.Name.Name)
}

// commentProblem looks at the text of a package comment.
func commentProblem(text, name string) string {
	if !strings.HasPrefix(text, "Package "+name+" ") && !(name == "main" && strings.HasPrefix(text, "Command ")) {
		return fmt.Sprintf("the package comment must begin with \"Package %s\" (or \"Command\" for a command)", name)
	}
	rest := text
	for _, h := range headings {
		_, after, found := strings.Cut(rest, "\n# "+h+"\n")
		if !found {
			return fmt.Sprintf("the package comment lacks the heading %q (or has it out of order: %s)", "# "+h, strings.Join(headings, ", "))
		}
		if body, _, _ := strings.Cut(after, "\n# "); strings.TrimSpace(body) == "" {
			return fmt.Sprintf("nothing stands under the heading %q", "# "+h)
		}
		rest = after
	}
	return ""
}

// mapDirs are packages whose comments tell of the rooms below them.
var mapDirs = []string{"raftcore", "raftcore/devtools", "controllers"}

// mapsAreComplete wants each folder with a package just below a map to be named in it.
func mapsAreComplete(t *Tree) []Problem {
	var ps []Problem
	for _, dir := range mapDirs {
		text := t.Text[dir+"/doc.go"]
		for _, p := range t.packages() {
			child, below := strings.CutPrefix(p.Dir, dir+"/")
			child, _, _ = strings.Cut(child, "/")
			if !below || text == "" || child == "internal" {
				continue
			}
			if named := regexp.MustCompile(`\b` + regexp.QuoteMeta(child) + `\b`).MatchString(text); !named {
				ps = append(ps, Problem{dir + "/doc.go", "does not tell of " + dir + "/" + child})
			}
		}
	}
	return ps
}
