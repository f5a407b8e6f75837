package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/session"
)

// story applies entries one after the other.
type story struct {
	*session.Table
	at   protocol.Index
	term protocol.Term
	runs int // commands that were executed
}

// TestStories runs testdata/stories; -rewrite writes what happens into the files.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{Table: session.New(), term: 1}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var b strings.Builder
			for line := range strings.Lines(d.Input) {
				b.WriteString(s.line(t, strings.Fields(line)))
			}
			if d.Cmd == "table" {
				b.WriteString(s.String())
			}
			if err := s.CheckInvariants(); err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			return b.String()
		})
	})
}

// line applies one entry:
//
//	open TIMEOUT MOST LARGEST
//	keep CLIENT... | expire CLIENT...
//	term TERM
//	clock MILLISECONDS
//	command CLIENT SERIAL
func (s *story) line(t *testing.T, words []string) string {
	var numbers []uint64
	for _, w := range words[1:] {
		var n uint64
		if _, err := fmt.Sscan(w, &n); err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		numbers = append(numbers, n)
	}
	if words[0] == "term" {
		s.term = protocol.Term(numbers[0])
		return ""
	}
	s.at++
	switch words[0] {
	case "open":
		client, _ := s.Change(s.id(), protocol.SessionChange{
			Op: protocol.SessionOpen, Timeout: numbers[0], MaxSessions: numbers[1], MaxAnswer: numbers[2],
		})
		return fmt.Sprintf("client %d\n", client)
	case "keep", "expire":
		op := map[string]protocol.SessionOp{"keep": protocol.SessionKeep, "expire": protocol.SessionExpire}[words[0]]
		if _, unknown := s.Change(s.id(), protocol.SessionChange{Op: op, Clients: numbers}); len(unknown) > 0 {
			return fmt.Sprintf("unknown: %d\n", unknown)
		}
	case "clock":
		s.Change(s.id(), protocol.SessionChange{Op: protocol.SessionClock, Clock: numbers[0]})
	case "command":
		return fmt.Sprintf("%s\n", s.command(numbers[0], numbers[1]))
	default:
		t.Fatalf("unknown word %q", words[0])
	}
	return ""
}

func (s *story) id() protocol.EntryID { return protocol.EntryID{Term: s.term, Index: s.at} }

// command answers with the number of commands that were executed so far, in words.
func (s *story) command(client, serial uint64) string {
	v := s.Take(s.at, client, serial)
	switch v {
	case session.Execute:
		s.runs++
		a := s.Executed(client, serial, []byte(strings.Repeat("x", s.runs)))
		return fmt.Sprintf("executed: %q%s", a.Data, tooLarge(a))
	case session.Repeat:
		a := s.Answer(client)
		return fmt.Sprintf("again: %q%s", a.Data, tooLarge(a))
	}
	return v.Err().Error()
}

func tooLarge(a protocol.Answer) string {
	if a.TooLarge {
		return " too large"
	}
	return ""
}

// String gives the table, the least recently used session first.
func (s *story) String() string {
	im := s.Freeze()
	var b strings.Builder
	fmt.Fprintf(&b, "applied %d, clock %d\n", im.Head.Applied, im.Head.Clock)
	for _, x := range im.Sessions {
		seen := fmt.Sprint("seen at ", x.Seen)
		if x.Fresh {
			seen = "not seen since"
		}
		fmt.Fprintf(&b, "client %d: serial %d, active at entry %d, %s\n", x.Client, x.Serial, x.Active, seen)
	}
	return b.String()
}
