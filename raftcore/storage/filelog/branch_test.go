package filelog

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/raftcore/vfs"
)

// branchesOfCrashes are those that crashes alone lead to: nothing on the disk is damaged.
var branchesOfCrashes = []branch{
	branchOldest, branchNextSegment, branchPrepared,
	branchEntry, branchOverwrite, branchBase, branchReset, branchMark,
	branchClean, branchTornHeader, branchTornPayload, branchRewritten, branchSegmentFull,
	branchFreeKept, branchFreeDropped, branchSnapshotDropped,
	branchVoteNewer, branchVoteEqual,
}

// tally counts the branches that are taken.
type tally struct {
	mu     sync.Mutex
	counts map[branch]int
}

// countBranches counts until the test ends.
func countBranches(t *testing.T) *tally {
	c := &tally{counts: map[branch]int{}}
	branchTaken = func(b branch) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.counts[b]++
	}
	t.Cleanup(func() { branchTaken = nil })
	return c
}

func (c *tally) of(b branch) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[b]
}

// wantBranches counts how recovery goes until the test ends, and wants these branches
// taken.
func wantBranches(t *testing.T, wanted ...branch) {
	t.Helper()
	c := countBranches(t)
	t.Cleanup(func() {
		for _, b := range wanted {
			t.Logf("%9d %s", c.of(b), b)
			if c.of(b) == 0 && !t.Failed() {
				t.Errorf("recovery never came to: %s", b)
			}
		}
	})
}

// branchStory makes a directory, harms it, and tells what must come of that.
type branchStory struct {
	takes []branch
	write func(*testStore) // the method history when nil
	crash bool             // the power fails instead of an orderly close
	harm  func(*testStore) // on the closed directory
	ends  func(*testStore) // opens it, and judges
}

// TestEveryBranchIsReached plays a story for each branch that the source declares, and prints
// how often they were taken.
func TestEveryBranchIsReached(t *testing.T) {
	total := map[branch]int{}
	for _, stories := range []map[string]branchStory{metaStories, segmentStories, recordStories, holeStories, endStories, snapshotStories, repairStories} {
		for _, name := range slices.Sorted(maps.Keys(stories)) {
			t.Run(name, func(t *testing.T) {
				c := countBranches(t)
				stories[name].play(t)
				for _, b := range stories[name].takes {
					total[b] += c.of(b)
					if c.of(b) == 0 {
						t.Errorf("it never came to: %s", b)
					}
				}
			})
		}
	}
	declared := slices.Sorted(maps.Values(declaredBranches(t)))
	for _, b := range declared {
		t.Logf("%5d %s", total[b], b)
		if total[b] == 0 {
			t.Errorf("no story leads to: %s", b)
		}
	}
	t.Logf("%d branches", len(declared))
}

func (s branchStory) play(t *testing.T) {
	ts := newTestStore(t)
	if s.write == nil {
		s.write = (*testStore).history
	}
	s.write(ts)
	if s.crash {
		ts.fs = ts.fs.Crash(vfs.PowerLoss{})
	} else if err := ts.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if s.harm != nil {
		s.harm(ts)
	}
	s.ends(ts)
}

// parsed gives the syntax of the room's files that are no tests, by their names.
func parsed(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, n := range names {
		if strings.HasSuffix(n.Name(), ".go") && !strings.HasSuffix(n.Name(), "_test.go") {
			if files[n.Name()], err = parser.ParseFile(token.NewFileSet(), n.Name(), nil, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	return files
}

// declaredBranches reads the constants of type branch from the source.
func declaredBranches(t *testing.T) map[string]branch {
	t.Helper()
	found := map[string]branch{}
	ast.Inspect(parsed(t)["branch.go"], func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == "branch" {
				text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				found[v.Names[0].Name] = branch(text)
			}
		}
		return true
	})
	return found
}

// TestBranchesAreMarked holds the constants and the marks together: each branch is marked in
// the source, and each mark is one of them.
func TestBranchesAreMarked(t *testing.T) {
	declared, marked := declaredBranches(t), map[string]bool{}
	texts := map[branch]bool{}
	for _, file := range parsed(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if name, ok := mark(n); ok {
				marked[name] = true
			}
			return true
		})
	}
	for name, b := range declared {
		if !marked[name] || texts[b] {
			t.Errorf("%s (%s) is marked nowhere, or its words are another's too", name, b)
		}
		texts[b] = true
	}
	for name := range marked {
		if _, ok := declared[name]; !ok {
			t.Errorf("the mark %q is no constant of branch.go", name)
		}
	}
}

// mark gives the name in a call of take.
func mark(n ast.Node) (name string, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	f, ok := call.Fun.(*ast.Ident)
	if !ok || f.Name != "take" || len(call.Args) != 1 {
		return "", false
	}
	if id, ok := call.Args[0].(*ast.Ident); ok && strings.HasPrefix(id.Name, "branch") {
		return id.Name, true
	}
	_, isText := call.Args[0].(*ast.BasicLit)
	return "a text", isText
}

// filesOfRecovery hold what reads the disk when a directory is opened; in the others errors
// are those of callers and of disks, or of damage that is known, as in the functions callersErrors. The functions makers only
// put an error into words.
var filesOfRecovery = []string{"hole.go", "keeper.go", "meta.go", "record.go", "recover.go", "repair.go", "replay.go", "segment.go", "snapshotfile.go", "space.go", "votes.go"}

var (
	callersErrors = []string{"createMeta", "Seek", "beforeDamage"}
	makers        = []string{"damage", "nameless", "wrong"}
)

// TestRefusalsAreMarked wants a mark wherever recovery finds something wrong by itself: in the
// statements that give a new error, not one that they hand on.
func TestRefusalsAreMarked(t *testing.T) {
	files, refusals := parsed(t), 0
	for _, name := range filesOfRecovery {
		ast.Inspect(files[name], func(n ast.Node) bool {
			var list []ast.Stmt
			switch n := n.(type) {
			case *ast.FuncDecl:
				return !isNamed(n.Name, makers...) && !isNamed(n.Name, callersErrors...)
			case *ast.AssignStmt:
				return !isNamed(n.Lhs[0], makers...)
			case *ast.BlockStmt:
				list = n.List
			case *ast.CaseClause:
				list = n.Body
			}
			for i, s := range list {
				if r, ok := s.(*ast.ReturnStmt); ok && refuses(r) {
					refusals++
					if !slices.ContainsFunc(list[:i], func(s ast.Stmt) bool { e, ok := s.(*ast.ExprStmt); return ok && isMark(e.X) }) {
						t.Errorf("%s: a refusal has no mark before it: %s", name, wordsOf(r))
					}
				}
			}
			return true
		})
	}
	if refusals < 40 {
		t.Errorf("only %d refusals were found: the test does not test", refusals)
	}
}

func isMark(e ast.Expr) bool { _, ok := mark(e); return ok }

// refuses reports whether a return makes an error of its own. One that only tells where the
// error err of the disk was met hands it on.
func refuses(r *ast.ReturnStmt) (yes bool) {
	ast.Inspect(r, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CompositeLit:
			if s, ok := n.Type.(*ast.SelectorExpr); ok && (s.Sel.Name == "DamageError" || s.Sel.Name == "RepairError") {
				yes = true
			}
		case *ast.CallExpr:
			f := n.Fun
			if s, ok := f.(*ast.SelectorExpr); ok {
				f = s.Sel
			}
			if isNamed(f, "Errorf") || isNamed(f, makers...) {
				yes = yes || !slices.ContainsFunc(n.Args, func(a ast.Expr) bool { return isNamed(a, "err", "cause") })
			}
		}
		return true
	})
	return yes
}

func isNamed(e ast.Expr, names ...string) bool {
	id, ok := e.(*ast.Ident)
	return ok && slices.Contains(names, id.Name)
}

// wordsOf gives the texts of a return, for people.
func wordsOf(r *ast.ReturnStmt) (words string) {
	ast.Inspect(r, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			words += l.Value
		}
		return true
	})
	return words
}
