package devtools_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/devtools/diagram"
	"github.com/quorate/quorate/raftcore/devtools/sim"
)

//go:generate go test -count=1 -run ^TestProtocolDocument$ . -update

var update = flag.Bool("update", false, "write what is generated into docs/protocol.md")

const (
	protocolDocument = "../../docs/protocol.md"
	maxArrows        = 25 // that a reader follows
)

// plays are the traces of docs/protocol.md, by the names in its marks. Each arranges a
// situation and checks what the text beside its picture says. It reports false when the
// seed has cast others than the text names: whoever is elected, or reaches the disk
// first, is a matter of chance. The paper's flow of the same name is in
// testdata/paper_flows.txt.
var plays = []struct {
	name    string
	options func(seed uint64) sim.Options
	stage   func(*play) bool
	shows   extras
	hosts   func(*hostPlay) // instead of options and stage
}{
	{"replication", three, replication, extras{}, nil},
	{"election", three, election, extras{preVotes: true}, nil},
	{"split-vote", four, splitVote, extras{}, nil},
	{"not-written", three, notWritten, extras{}, nil},
	{"written-by-the-leader-only", oneAtATime, writtenByTheLeaderOnly, extras{}, nil},
	{"one-follower-of-five", five, oneFollowerOfFive, extras{}, nil},
	{"absent-follower", three, absentFollower, extras{}, nil},
	{"older-disk", three, olderDisk, extras{lives: true}, nil},
	{"empty-disk", three, emptyDisk, extras{lives: true}, nil},
	{"snapshot", inChunks, snapshotForALaggard, extras{}, nil},
	{"transfer", three, transferOfLeadership, extras{}, nil},
	{"resigned", three, resigned, extras{preVotes: true}, nil},
	{"read", three, readAtAFollower, extras{rounds: true}, nil},
	{"forward", three, forwarded, extras{}, nil},
	{"forward-refused", three, forwardRefused, extras{}, nil},
	{"learner-promotion", nil, nil, extras{}, learnerPromotion},
	{"joint-replacement", nil, nil, extras{}, jointReplacement},
	{"repair", nil, nil, extras{}, damagedRecord},
}

func three(seed uint64) sim.Options { return sim.Calm(seed, 3) }

// four has election timeouts so short that two of them often end at the same time.
func four(seed uint64) sim.Options {
	o := sim.Calm(seed, 4)
	o.ElectionTicks = 3
	return o
}

// inChunks sends a snapshot in two pieces.
func inChunks(seed uint64) sim.Options {
	o := sim.Calm(seed, 3)
	o.ChunkBytes = 50
	return o
}

// oneAtATime lets only one request be unanswered: entries that cannot be delivered are
// then drawn once.
func oneAtATime(seed uint64) sim.Options {
	o := sim.Calm(seed, 3)
	o.MaxInflight = 1
	return o
}

// five sends each entry in a request of its own, so that each is acknowledged by itself.
func five(seed uint64) sim.Options {
	o := sim.Calm(seed, 5)
	o.MaxMessageBytes = 1
	return o
}

// TestProtocolDocument plays each situation and wants its picture, beside the paper's, in
// docs/protocol.md, and the tables that are made from the code.
func TestProtocolDocument(t *testing.T) {
	text, err := os.ReadFile(protocolDocument)
	if err != nil {
		t.Fatal(err)
	}
	paper := paperFlows(t)
	got := string(text)
	for _, p := range plays {
		t.Run(p.name, func(t *testing.T) {
			played := func() *play { return perform(t, p.options, p.stage) }
			if p.hosts != nil {
				played = func() *play { return performHosts(t, p.hosts) }
			}
			ours := diagram.Mermaid(legible(played(), p.shows))
			if n := arrows(ours); n > maxArrows {
				t.Errorf("the picture has %d arrows, more than %d cannot be followed:\n%s", n, maxArrows, ours)
			}
			theirs, ok := paper[p.name]
			if !ok {
				t.Fatalf("testdata/paper_flows.txt has no flow %q", p.name)
			}
			got = replace(t, got, "trace: "+p.name, sideBySide(theirs, ours))
		})
	}
	if n := strings.Count(got, "<!-- trace: "); n != len(plays) || len(paper) != len(plays) {
		t.Errorf("%s has %d traces, the paper's flows are %d, the test makes %d", protocolDocument, n, len(paper), len(plays))
	}
	got = replace(t, got, "table: roles", rolesTable(t))
	got = replace(t, got, "table: progress", progressTable(t))
	if *update && !t.Failed() {
		if err := os.WriteFile(protocolDocument, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(text), got); d != "" {
		t.Errorf("%s is not fresh; if what is new is right run go generate ./raftcore/devtools (-want +got):\n%s", protocolDocument, d)
	}
}

func arrows(picture string) int {
	return strings.Count(picture, ">>") + strings.Count(picture, "-x")
}

// replace puts what is generated between its mark and the next end mark.
func replace(t *testing.T, text, name, generated string) string {
	t.Helper()
	mark := "<!-- " + name + " -->\n"
	section := regexp.MustCompile("(?s)" + regexp.QuoteMeta(mark) + ".*?<!-- end -->")
	if n := len(section.FindAllString(text, -1)); n != 1 {
		t.Fatalf("%s has %d sections from %q to <!-- end -->, must be 1", protocolDocument, n, strings.TrimSpace(mark))
	}
	return section.ReplaceAllLiteralString(text, mark+generated+"<!-- end -->")
}

// sideBySide puts two pictures beside each other, or below when one is wide. Beside each
// other they have half the width, so their texts are broken into lines.
func sideBySide(paper, ours string) string {
	fenced := func(picture string) string { return "```mermaid\n" + picture + "```\n" }
	if strings.Count(ours, "participant") > 3 {
		return "*The paper:*\n\n" + fenced(paper) + "\n*Quorate:*\n\n" + fenced(ours)
	}
	return fmt.Sprintf("<table>\n<tr><th>The paper</th><th>Quorate</th></tr>\n<tr><td valign=\"top\">\n\n%s\n</td><td valign=\"top\">\n\n%s\n</td></tr>\n</table>\n",
		fenced(narrow(paper)), fenced(narrow(ours)))
}

// narrow breaks the texts of a picture into lines of about this many characters.
func narrow(picture string) string {
	const width = 28
	var out strings.Builder
	for line := range strings.Lines(picture) {
		head, says, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if ok {
			head += ": " + broken(says, width)
		}
		out.WriteString(head + "\n")
	}
	return out.String()
}

// broken breaks a text after commas where it can, else between words.
func broken(says string, width int) string {
	var lines []string
	add := func(part string) {
		if n := len(lines); n > 0 && len(lines[n-1])+1+len(part) <= width {
			lines[n-1] += " " + part
			return
		}
		lines = append(lines, part)
	}
	for part := range strings.SplitAfterSeq(says, ", ") {
		if part = strings.TrimSpace(part); len(part) <= width {
			add(part)
			continue
		}
		for word := range strings.FieldsSeq(part) {
			add(word)
		}
	}
	return strings.Join(lines, "<br/>")
}
