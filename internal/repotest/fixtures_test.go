package repotest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// plate is a package comment that is as it should be.
const plate = `// Package NAME is a room.
//
// # In this room
//
// A.
//
// # Never here
//
// B.
//
// # Invariants
//
// C.
//
// # How to add
//
// D.
package NAME
`

func plateOf(name string) string { return strings.ReplaceAll(plate, "NAME", name) }

func featureTable() string {
	var rows strings.Builder
	for _, group := range slices.Sorted(maps.Keys(featureRows)) {
		for i := 1; i <= featureRows[group]; i++ {
			rows.WriteString("| " + group + strconv.Itoa(i) + " | what | open (issue 3) |\n")
		}
	}
	return rows.String()
}

const goodDecision = "# 1. A choice\n\nDate: 2026-01-02\nStatus: accepted\n\n## Decision\n\nThis.\n\n## Alternatives\n\nThat.\n"

// goodHouse is a small repository without a problem.
func goodHouse() map[string]string {
	house := map[string]string{
		"go.mod":                            "module " + Module + "\n",
		"ARCHITECTURE.md":                   "A write begins in `host.Host.Propose`; see `raftcore/host` and [the docs](docs/features.md#x).\n<!-- from raftcore/host/host.go -->\n```go\nfunc F() {}\n```\n",
		"Makefile":                          "",
		featureFile:                         featureTable(),
		"docs/decisions/0001-one.md":        goodDecision,
		"raftcore/protocol/doc.go":          plateOf("protocol"),
		"raftcore/replica/doc.go":           plateOf("replica"),
		"raftcore/replica/replica.go":       "package replica\n\nimport _ \"" + Module + "/raftcore/protocol\"\n\nfunc F() {}\n",
		"raftcore/host/doc.go":              plateOf("host"),
		"raftcore/host/host.go":             "package host\n\ntype Host[T any] struct{}\n\nfunc (*Host[T]) Propose() { go F() }\n\nfunc F() {}\n",
		"raftcore/host/host_test.go":        "package host\n\nimport \"testing\"\n\nfunc TestHost(t *testing.T) {}\n",
		"raftcore/storage/doc.go":           plateOf("storage") + "\ntype Log interface {\n\tAppend()\n\tClose()\n}\n",
		"raftcore/storage/storagetest/a.go": plateOf("storagetest") + "\nimport _ \"testing\"\n",
		"hack/tool/go.mod":                  "module elsewhere\n",
		"hack/tool/doc.go":                  strings.Replace(plateOf("main"), "Package main", "Command tool", 1) + "\nimport _ \"" + Module + "/raftcore/host\"\n",
		"node/nodeapi/doc.go":               plateOf("nodeapi"),
	}
	for _, target := range contractTargets {
		house["Makefile"] += target + ": ## Does it\n"
	}
	return house
}

// faults are changes to the good house that one check must refuse. Text is added to
// a file that exists.
var faults = []struct {
	name, check string
	file, text  string
	want        string
}{
	{"no comment", "every package has a name-plate", "hack/new/a.go", "package a\n", "hack/new: no package comment"},
	{"detached comment", "every package has a name-plate", "hack/new/doc.go", strings.Replace(plateOf("a"), "\npackage", "\n\npackage", 1), "hack/new: no package comment, or a blank line"},
	{"a heading is missing", "every package has a name-plate", "hack/new/doc.go", strings.Replace(plateOf("a"), "# Never here", "# Never", 1), `lacks the heading "# Never here"`},
	{"an empty heading", "every package has a name-plate", "hack/new/doc.go", strings.Replace(plateOf("a"), "// C.\n", "", 1), `nothing stands under the heading "# Invariants"`},
	{"another name", "every package has a name-plate", "hack/new/doc.go", strings.Replace(plateOf("a"), "Package a", "Package b", 1), `must begin with "Package a"`},
	{"two comments", "every package has a name-plate", "raftcore/host/x.go", "// Package host again.\npackage host\n", "keep one"},
	{"no doc.go", "every package has a name-plate", "raftcore/storage/storagetest/b.go", "package storagetest\n", "move it to doc.go"},

	{"a room that the map lacks", "maps tell of every room", "raftcore/doc.go", plateOf("raftcore"), "raftcore/doc.go: does not tell of raftcore/"},

	{"nobody placed it", "every package belongs to a room", "attic/doc.go", plateOf("attic"), "attic: this package is in no room"},

	{"backwards", "imports follow the arrows", "raftcore/protocol/x.go", "package protocol\n\nimport _ \"" + Module + "/raftcore/replica\"\n", "room raftcore/protocol must not import room raftcore/replica"},
	{"sideways", "imports follow the arrows", "raftcore/replica/x.go", "package replica\n\nimport _ \"" + Module + "/raftcore/host\"\n", "raftcore/replica/x.go:3"},

	{"Kubernetes in Raft", "no forbidden import", "raftcore/host/x_test.go", "package host\n\nimport _ \"k8s.io/api/core/v1\"\n", "people embed raftcore"},
	{"a clock in the replica", "no forbidden import", "raftcore/replica/x.go", "package replica\n\nimport _ \"time\"\n", "replay must be exact"},
	{"a socket in the replica", "no forbidden import", "raftcore/replica/x.go", "package replica\n\nimport _ \"net/http\"\n", "replay must be exact"},
	{"Raft in the operator", "no forbidden import", "main.go", "package main\n\nimport _ \"" + Module + "/raftcore/protocol\"\n", "they meet in node/nodeapi only"},
	{"the operator in a node", "no forbidden import", "node/nodeapi/x.go", "package nodeapi\n\nimport _ \"" + Module + "/api/v1alpha1\"\n", "a node must run anywhere"},

	{"a goroutine in the replica", "the replica is deterministic", "raftcore/replica/x.go", "package replica\n\nfunc G() { go F() }\n", "raftcore/replica/x.go:3: a go statement"},
	{"a channel in the nouns", "the replica is deterministic", "raftcore/protocol/x.go", "package protocol\n\ntype C chan int\n", "a channel in raftcore/protocol"},

	{"testing in a binary", "testing stays in tests", "raftcore/host/x.go", "package host\n\nimport _ \"testing/fstest\"\n", "package host imports testing/fstest"},

	{"a long function", "functions fit a screen", "raftcore/host/x.go", "package host\n\nfunc Long() {\n" + strings.Repeat("\tF()\n", 69) + "}\n", "function Long has 71 lines"},
	{"a long file", "files stay short", "raftcore/host/x.go", "package host\n" + strings.Repeat("\n", 400), "raftcore/host/x.go: 401 lines"},

	{"a dead link", "documents name what exists", "docs/x.md", "[a](gone.md#part)\n", "docs/x.md: links to docs/gone.md"},
	{"a dead path", "documents name what exists", "docs/x.md", "See `raftcore/gone/x.go`.\n", "names raftcore/gone/x.go"},
	{"a dead path in a comment", "documents name what exists", "raftcore/host/doc.go", "// Package host follows docs/gone.md.\npackage host\n", "names docs/gone.md"},

	{"a file that is gone in a comment", "documents name what exists", "raftcore/host/doc.go", "// Package host has a duty in effects.go, and one in loop.go of package sim.\npackage host\n", "names effects.go, which is not in this folder"},

	{"code that was changed", "documents quote code as it is", "docs/x.md", "<!-- from raftcore/host/host.go -->\n```go\nfunc G() {}\n```\n", `begins with "func G() {}" is not so in raftcore/host/host.go`},

	{"a function that is gone", "the architecture names code that exists", "ARCHITECTURE.md", "`host.Host.Suggest`\n", "names host.Host.Suggest"},

	{"no proof", "every feature has a proof or an open issue", featureFile, strings.Replace(featureTable(), "| R1 | what | open (issue 3) |", "| R1 | what | done |", 1), "row R1 has neither"},
	{"a lost row", "every feature has a proof or an open issue", featureFile, strings.Replace(featureTable(), "| K9 |", "| K |", 1), "row K9 is missing"},
	{"a test that is gone", "every feature has a proof or an open issue", featureFile, strings.Replace(featureTable(), "| R1 | what | open (issue 3) |", "| R1 | what | [TestGone](../raftcore/host/host_test.go) |", 1), "declares no TestGone"},
	{"a row twice", "every feature has a proof or an open issue", featureFile, featureTable() + "| R1 | what | open (issue 4) |\n", "row R1 stands twice"},

	{"a message that nobody explains", "every message, condition and option is explained", "raftcore/protocol/message.go", "package protocol\n\ntype MessageKind int\n\nconst KindWhisper MessageKind = 1\n", "does not explain Whisper"},
	{"a reason that nobody explains", "every message, condition and option is explained", "api/v1alpha1/conditions.go", plateOf("v1alpha1") + "\nconst ReasonBored = \"Bored\"\n", "does not explain Bored"},

	{"a reason that is gone", "the page of conditions has what there is", conditionsPage, "| `Gone` | True | it was | wait |\n", "explains Gone"},
	{"nothing to do", "the page of conditions has what there is", conditionsPage, "| `Gone` | True | it was |  |\n", "the row of Gone has an empty cell"},
	{"an Event without a name", "every reason is a constant", "controllers/raftcluster/x.go", "package raftcluster\n\nfunc f() { r.event(c, nil, kind, \"Bored\", \"Act\", note) }\n", `tells the reason "Bored"`},
	{"a condition without a name", "every reason is a constant", "controllers/plan/x.go", "package plan\n\nvar p = Progress{Reason: \"Bored\"}\n", `tells the reason "Bored"`},
	{"a reason that is put together", "every reason is a constant", "controllers/plan/x.go", "package plan\n\nfunc f() { reason := \"Bored\"; g(reason) }\n", `tells the reason "Bored"`},

	{"an option that nobody explains", "every message, condition and option is explained", "raftcore/host/options.go", "package host\n\ntype Options struct{ Haste, Mutation int }\n", "does not explain Options.Haste"},

	{"an error that nobody explains", "every message, condition and option is explained", "raftcore/host/x.go", "package host\n\nvar ErrLazy error\n", "does not explain ErrLazy"},

	{"a log without an assertion", "contracts are kept and seen to be", "raftcore/host/x.go", "package host\n\ntype L struct{}\n\nfunc (L) Append() {}\n\nfunc (*L) Close() {}\n", "L has the methods of Log: write"},
	{"a log without its suite", "contracts are kept and seen to be", "raftcore/host/x.go", "package host\n\ntype L struct{}\n\nvar _ storage.Log = L{}\n\nfunc (L) Append() {}\n\nfunc (*L) Close() {}\n", "L has the methods of Log: run storagetest.TestLog in a test"},

	{"no date", "decisions are dated and weigh alternatives", "docs/decisions/0002-two.md", strings.Replace(goodDecision, "Date: 2026-01-02", "Date: soon", 1), "no line \"Date:"},
	{"no alternatives", "decisions are dated and weigh alternatives", "docs/decisions/0002-two.md", strings.Replace(goodDecision, "## Alternatives", "## Others", 1), `has no "## Alternatives"`},
	{"a number twice", "decisions are dated and weigh alternatives", "docs/decisions/0001-two.md", goodDecision, "has the number of"},
	{"a name without number", "decisions are dated and weigh alternatives", "docs/decisions/two.md", goodDecision, "named NNNN-name.md"},

	{"a target that is gone", "the Makefile has the contract's targets", "Makefile", "check: ## Checks\n", "no target e2e"},

	{"a forgotten module", "the tests of every module are run", "hack/tool/x_test.go", "package main\n", "hack/tool: this module's tests are run by nobody"},

	{"a path of the machine", "no file knows the machine it was written on", "hack/x.sh", "cd /wor" + "k/main\n", "hack/x.sh:1"},
	{"a registry", "no file knows the machine it was written on", "Makefile", "GOPROXY=https://proxy.golan" + "g.org\n", "the host of a registry"},
	{"a temporary folder", "no file knows the machine it was written on", "hack/x.sh", "cat /tm" + "p/x\n", "temporary folder"},
}

func problems(t *testing.T, house map[string]string, check string) []string {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range house {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, c := range Checks {
		if c.Name != check {
			continue
		}
		for _, p := range c.Run(tree) {
			found = append(found, p.String())
		}
	}
	return found
}

func TestTheGoodHouseHasNoProblem(t *testing.T) {
	for _, c := range Checks {
		if found := problems(t, goodHouse(), c.Name); len(found) > 0 {
			t.Errorf("%s: %q", c.Name, found)
		}
	}
}

func TestEveryCheckCanFail(t *testing.T) {
	shown := map[string]bool{}
	for _, f := range faults {
		shown[f.check] = true
		t.Run(f.check+"/"+f.name, func(t *testing.T) {
			house := goodHouse()
			house[f.file] = f.text
			found := problems(t, house, f.check)
			if !slices.ContainsFunc(found, func(p string) bool { return strings.Contains(p, f.want) }) {
				t.Errorf("the check found %q, want a problem that says %q", found, f.want)
			}
		})
	}
	for _, c := range Checks {
		if !shown[c.Name] {
			t.Errorf("no fixture shows that the check %q can fail", c.Name)
		}
	}
}

// TestRoomsArePossible keeps the data itself sound: no arrow to a room that is not
// there, and none that leads back.
func TestRoomsArePossible(t *testing.T) {
	for i := range rooms {
		r := &rooms[i]
		for _, name := range r.may {
			if !slices.ContainsFunc(rooms, func(o room) bool { return o.dir == name }) {
				t.Errorf("room %s has an arrow to %s, which is no room", r.dir, name)
			}
			for _, o := range rooms {
				if o.dir == name && mayImport(&o)[r.dir] {
					t.Errorf("rooms %s and %s may import each other", r.dir, name)
				}
			}
		}
	}
}
