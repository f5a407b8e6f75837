package repotest

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// featureRows tells how many rows each group of docs/features.md has: R1 to R29, …
var featureRows = map[string]int{"R": 29, "N": 10, "K": 13, "X": 6}

const featureFile = "docs/features.md"

var (
	rowPattern   = regexp.MustCompile(`(?m)^\| ([RNKX])(\d+) \|(.*)\|(.*)\|$`)
	openPattern  = regexp.MustCompile(`open \((issue \d+|a later issue)\)`)
	proofPattern = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	testPattern  = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)\w*$`)
)

// features wants each promised row once, with links to its proof or "open (issue N)".
// A link whose text is the name of a test must lead to where that test is declared.
func features(t *Tree) []Problem {
	seen := map[string]bool{}
	var ps []Problem
	for _, m := range rowPattern.FindAllStringSubmatch(t.Text[featureFile], -1) {
		row, proof := m[1]+m[2], m[4]
		if seen[row] {
			ps = append(ps, Problem{featureFile, "row " + row + " stands twice"})
		}
		seen[row] = true
		links := proofPattern.FindAllStringSubmatch(proof, -1)
		if len(links) == 0 && !openPattern.MatchString(proof) {
			ps = append(ps, Problem{featureFile, "row " + row + " has neither a link to a proof nor \"open (issue N)\""})
		}
		for _, l := range links {
			ps = append(ps, t.proofProblems(row, l[1], l[2])...)
		}
	}
	for group, n := range featureRows {
		for i := 1; i <= n; i++ {
			if row := fmt.Sprint(group, i); !seen[row] {
				ps = append(ps, Problem{featureFile, "row " + row + " is missing: features are never dropped silently"})
			}
		}
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return strings.Compare(a.What, b.What) })
	return ps
}

func (t *Tree) proofProblems(row, text, target string) []Problem {
	where := path.Join(path.Dir(featureFile), target)
	if testPattern.MatchString(text) && !slices.Contains(t.tests(where), text) {
		return []Problem{{featureFile, fmt.Sprintf("row %s: %s declares no %s", row, where, text)}}
	}
	return nil
}

// vocabularies are constants that a document explains one by one, in backquotes: those
// of the file whose names begin with prefix. Their values stand in the document, or, of
// numbers, the names without the prefix.
var vocabularies = []struct{ file, prefix, typ, document string }{
	{"raftcore/protocol/message.go", "Kind", "MessageKind", "docs/protocol.md"},
	{"api/v1alpha1/conditions.go", "Condition", "", "docs/conditions.md"},
	{"api/v1alpha1/conditions.go", "Reason", "", "docs/conditions.md"},
}

// settings are structs whose exported fields a document explains, in backquotes. Fields for
// tests of this repository are left out.
var settings = []struct{ file, name, document string }{
	{"raftcore/host/options.go", "Options", "docs/library.md"},
}

const fieldForOurTests = "Mutation"

// unexplainedSettings gives a problem for each field that its document lacks.
func unexplainedSettings(t *Tree) []Problem {
	var ps []Problem
	for _, s := range settings {
		for _, f := range t.files() {
			if f.Path != s.file {
				continue
			}
			for _, d := range f.Syntax.Decls {
				for _, n := range declaredBy(d) {
					field, of := strings.CutPrefix(n, s.name+".")
					if of && ast.IsExported(field) && field != fieldForOurTests && !strings.Contains(t.Text[s.document], "`"+field+"`") {
						ps = append(ps, Problem{s.document, fmt.Sprintf("does not explain %s of %s, with its default and bounds", n, s.file)})
					}
				}
			}
		}
	}
	return ps
}

// unexplainedErrors gives a problem for each error of package host that its users' page lacks.
func unexplainedErrors(t *Tree) []Problem {
	const dir, document = "raftcore/host", "docs/library.md"
	var ps []Problem
	for _, f := range t.files() {
		if path.Dir(f.Path) != dir || f.Test {
			continue
		}
		for _, d := range f.Syntax.Decls {
			for _, n := range declaredBy(d) {
				if strings.HasPrefix(n, "Err") && !strings.Contains(n, ".") && !strings.Contains(t.Text[document], "`host."+n+"`") {
					ps = append(ps, Problem{document, fmt.Sprintf("does not explain %s of %s, and whether a command took effect", n, f.Path)})
				}
			}
		}
	}
	return ps
}

// explained wants each of those words in its document.
func explained(t *Tree) []Problem {
	ps := append(unexplainedSettings(t), unexplainedErrors(t)...)
	for _, v := range vocabularies {
		for _, word := range t.constants(v.file, v.prefix, v.typ) {
			text := t.Text[v.document]
			if !strings.Contains(text, "`"+word+"`") && !strings.Contains(text, "# "+word+"\n") {
				ps = append(ps, Problem{v.document, fmt.Sprintf("does not explain %s of %s", word, v.file)})
			}
		}
	}
	return ps
}

var (
	decisionName = regexp.MustCompile(`^\d{4}-[a-z0-9-]+\.md$`)
	datePattern  = regexp.MustCompile(`(?m)^Date: \d{4}-\d{2}-\d{2}$`)
)

// decisions wants docs/decisions/NNNN-name.md with a date, a state and what was
// weighed, and no number twice.
func decisions(t *Tree) []Problem {
	numbers := map[string]string{}
	var ps []Problem
	for _, name := range t.paths(".md") {
		base := path.Base(name)
		if path.Dir(name) != "docs/decisions" || base == "README.md" {
			continue
		}
		if !decisionName.MatchString(base) {
			ps = append(ps, Problem{name, "a decision is named NNNN-name.md"})
			continue
		}
		if other := numbers[base[:4]]; other != "" {
			ps = append(ps, Problem{name, "has the number of " + other})
		}
		numbers[base[:4]] = name
		if !datePattern.MatchString(t.Text[name]) {
			ps = append(ps, Problem{name, "has no line \"Date: YYYY-MM-DD\""})
		}
		for _, part := range []string{"\nStatus: ", "\n## Decision\n", "\n## Alternatives\n"} {
			if !strings.Contains(t.Text[name], part) {
				ps = append(ps, Problem{name, fmt.Sprintf("has no %q", strings.TrimSpace(part))})
			}
		}
	}
	return ps
}

// contractTargets are the make targets that other people's tools call.
var contractTargets = []string{"check", "test", "e2e", "bench", "demo", "demo-down", "images"}

func makeTargets(t *Tree) []Problem {
	text := "\n" + t.Text["Makefile"]
	for _, name := range t.paths(".mk") {
		text += "\n" + t.Text[name]
	}
	var ps []Problem
	for _, target := range contractTargets {
		if !regexp.MustCompile(`\n` + target + `:[^=]*## `).MatchString(text) {
			ps = append(ps, Problem{"Makefile", "no target " + target + " with a \"## \" line for make help"})
		}
	}
	return ps
}

// testedModules wants every nested module that has tests in the Makefile's list of those
// that "make test" runs: "go test ./..." passes them by.
func testedModules(t *Tree) []Problem {
	line := regexp.MustCompile(`(?m)^TEST_MODULES :=(.*)$`).FindStringSubmatch(t.Text["Makefile"])
	var listed []string
	if line != nil {
		listed = strings.Fields(line[1])
	}
	tested := map[string]bool{}
	for _, f := range t.files() {
		for _, m := range t.nested {
			if f.Test && within(path.Dir(f.Path), m) {
				tested[m] = true
			}
		}
	}
	var ps []Problem
	for _, m := range slices.Sorted(maps.Keys(tested)) {
		if !slices.Contains(listed, m) {
			ps = append(ps, Problem{m, "this module's tests are run by nobody: add it to TEST_MODULES in the Makefile"})
		}
	}
	return ps
}

// words are what must not be in a file, with the reason, and files that may have them.
// Each is written so that it does not find itself.
var words = []struct {
	pattern *regexp.Regexp
	reason  string
	except  string
}{
	{regexp.MustCompile(`(^|[^\w.])/(work|farm)/`), "a path of the machine that it was written on", ""},
	{regexp.MustCompile(`(^|[^\w.])/(root)/`), "a path of the machine that it was written on", "Dockerfile"}, // a path inside the image
	{regexp.MustCompile(`(^|[^\w.$}])/tm[p]/`), "a path in the machine's temporary folder: use mktemp, t.TempDir or a flag", ""},
	{regexp.MustCompile(`\b(proxy|sum)\.golan[g]\.org|\bregistry\.npmj[s]\.org|\bdeb\.debia[n]\.org|\bpyp[i]\.org`), "the host of a registry: the user's own settings choose it", ""},
}

// machineWords looks into every file that is text.
func machineWords(t *Tree) []Problem {
	var ps []Problem
	for _, name := range t.paths("") {
		for i, line := range strings.Split(t.Text[name], "\n") {
			for _, w := range words {
				if name != w.except && w.pattern.MatchString(line) {
					ps = append(ps, Problem{fmt.Sprintf("%s:%d", name, i+1), "names " + w.reason})
				}
			}
		}
	}
	return ps
}
