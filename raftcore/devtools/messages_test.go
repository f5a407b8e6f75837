package devtools_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
)

// bodies has one of each kind of message.
var bodies = []protocol.Body{
	&protocol.PreVoteRequest{}, &protocol.PreVoteResponse{}, &protocol.VoteRequest{}, &protocol.VoteResponse{},
	&protocol.AppendRequest{}, &protocol.AppendResponse{}, &protocol.SnapshotRequest{}, &protocol.SnapshotResponse{},
	&protocol.TimeoutNow{}, &protocol.ReadRequest{}, &protocol.ReadResponse{}, &protocol.Forward{},
	&protocol.ForwardRefused{}, &protocol.Resigned{}, &protocol.RepairRequest{}, &protocol.RepairResponse{},
}

var (
	fieldRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\|")
	aspects  = []string{"*Paper:* ", "*Receiver:* "}
)

// TestEveryMessageIsDescribed wants a section for each kind in docs/protocol.md, in their order, with a
// row for each field of its struct, where the paper has it, and what its receiver does.
func TestEveryMessageIsDescribed(t *testing.T) {
	kinds := protocol.MessageKinds()
	if len(bodies) != len(kinds) {
		t.Fatalf("there are %d kinds of messages, the list in this test has %d", len(kinds), len(bodies))
	}
	sections := sectionsOf(t)
	for n, b := range bodies {
		kind := b.Kind()
		if kind != kinds[n] {
			t.Errorf("the list in this test has %v where %v should be", kind, kinds[n])
		}
		text, ok := sections[kind.String()]
		if !ok {
			t.Errorf("%s has no section %v", protocolDocument, kind)
			continue
		}
		var described []string
		for _, m := range fieldRow.FindAllStringSubmatch(text, -1) {
			described = append(described, m[1])
		}
		if d := cmp.Diff(fieldsOf(b), described); d != "" {
			t.Errorf("the fields of %v (-struct +%s):\n%s", kind, protocolDocument, d)
		}
		for _, a := range aspects {
			if !strings.Contains(text, a) {
				t.Errorf("the section %v has no %q", kind, strings.TrimSpace(a))
			}
		}
	}
}

func fieldsOf(b protocol.Body) []string {
	var names []string
	body := reflect.TypeOf(b).Elem()
	for i := range body.NumField() {
		names = append(names, body.Field(i).Name)
	}
	return names
}

// sectionsOf gives the document's third-level sections by their titles.
func sectionsOf(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(protocolDocument)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range regexp.MustCompile(`(?m)^##+ `).Split(string(text), -1)[1:] {
		title, body, _ := strings.Cut(part, "\n")
		sections[title] = body
	}
	return sections
}

// TestEveryHandlerIsExplained wants a row for each handler that the table of roles names.
func TestEveryHandlerIsExplained(t *testing.T) {
	explained := map[string]bool{"ignore": true}
	for _, m := range fieldRow.FindAllStringSubmatch(sectionsOf(t)["What each role does with each message"], -1) {
		explained[m[1]] = true
	}
	_, rows := dispatchPicture(t)
	used := map[string]bool{}
	for _, handlers := range rows {
		for _, h := range handlers[1:] {
			used[h] = true
		}
	}
	if d := cmp.Diff(used, explained); d != "" {
		t.Errorf("handlers (-dispatch table +%s):\n%s", protocolDocument, d)
	}
}

// dispatchPicture reads the picture of the dispatch table, which a test of package replica
// holds against the table itself. The first cell of each row is the kind.
func dispatchPicture(t *testing.T) (roles []string, rows [][]string) {
	t.Helper()
	src, err := os.ReadFile("../replica/dispatch.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(src)) {
		line, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "" {
			roles = cells[1:]
		} else {
			rows = append(rows, cells)
		}
	}
	return roles, rows
}

// rolesTable shows the dispatch table; what is ignored stays empty.
func rolesTable(t *testing.T) string {
	roles, rows := dispatchPicture(t)
	if len(rows) != len(bodies) {
		t.Errorf("the picture in replica/dispatch.go has %d kinds of messages", len(rows))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|%s\n", strings.Join(roles, " | "), strings.Repeat(" --- |", len(roles)+1))
	for _, cells := range rows {
		for i, c := range cells {
			if c == "ignore" {
				cells[i] = ""
			}
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", cells[0], strings.ToLower(cells[0]), strings.Join(cells[1:], " | "))
	}
	return b.String()
}

// happenings are what changes how a follower is fed.
var happenings = []struct {
	what string
	do   func(*progress.Progress)
}{
	{"an answer accepts what was sent last", func(p *progress.Progress) {
		if p.State() == progress.Snapshot {
			p.SnapshotDone(p.Next)
		}
		p.Acknowledged(p.Next - 1)
	}},
	{"an answer refuses what was sent last", func(p *progress.Progress) { p.Rejected(p.Next-1, 5) }},
	{"an answer comes from another life of the follower", func(p *progress.Progress) { p.Reset(p.Next, 1, false) }},
	{"the connection breaks, or its entries cannot be read", func(p *progress.Progress) { p.Lost() }},
	{"its next entry was compacted away", func(p *progress.Progress) { p.NeedSnapshot() }},
	{"the snapshot was sent", func(p *progress.Progress) {
		if p.State() == progress.Snapshot {
			p.SnapshotDone(p.Next)
		}
	}},
}

// progressTable lets everything happen to a follower in every state.
func progressTable(*testing.T) string {
	const at = 10
	window := progress.Window{Requests: 4}
	states := []func(*progress.Progress){
		func(*progress.Progress) {},
		func(p *progress.Progress) { p.Acknowledged(at - 1) },
		func(p *progress.Progress) { p.NeedSnapshot() },
	}
	var b strings.Builder
	b.WriteString("| what happens | Probe | Replicate | Snapshot |\n| --- | --- | --- | --- |\n")
	for _, h := range happenings {
		fmt.Fprintf(&b, "| %s |", h.what)
		for _, reach := range states {
			p := progress.New(1, at, window)
			reach(&p)
			before := p.State()
			if p.CanSend() {
				p.Sent(at, 1)
			}
			h.do(&p)
			if after := p.State(); after != before {
				fmt.Fprintf(&b, " **%v** |", after)
			} else {
				fmt.Fprintf(&b, " %v |", after)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
