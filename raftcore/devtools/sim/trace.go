package sim

import (
	"fmt"
	"io"
	"strings"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// traceLength is how many events a Failure shows.
const traceLength = 80

// trace keeps the last events. They are put into words only when somebody looks.
type trace struct {
	out  io.Writer // gets every event when it is not nil
	ring [traceLength]happening
	n    int
}

type happening struct {
	at     Time
	member protocol.MemberID // 0: the whole cluster
	what   any
}

// lost is a message that does not arrive.
type lost protocol.Message

// WriteTrace writes every event from now on, a line each. Two runs with equal options
// write the same bytes.
func (c *Cluster) WriteTrace(w io.Writer) { c.trace.out = w }

func (t *trace) add(at Time, member protocol.MemberID, what any) {
	h := happening{at, member, what}
	t.ring[t.n%traceLength] = h
	t.n++
	if t.out != nil {
		fmt.Fprintln(t.out, h)
	}
}

func (t *trace) lines() []string {
	var out []string
	for i := max(0, t.n-traceLength); i < t.n; i++ {
		out = append(out, t.ring[i%traceLength].String())
	}
	return out
}

func (h happening) String() string {
	who := "  "
	if h.member != 0 {
		who = fmt.Sprintf("m%d", h.member)
	}
	return fmt.Sprintf("%13v %s %s", h.at, who, words(h.what))
}

// words describes an event.
func words(what any) string {
	switch x := what.(type) {
	case string:
		return x
	case lost:
		return "lost: " + describe(protocol.Message(x))
	case replica.Receive:
		return "takes " + describe(x.Message)
	case replica.StateChange:
		return fmt.Sprintf("  is %v of term %d, leader %d", x.Role, x.Term, x.Leader)
	case persist:
		return x.String()
	case replica.Propose:
		return "Propose " + writes(x.Kind, x.Payloads)
	case replica.Fetched:
		return fmt.Sprintf("Fetched %+v: %d entries, failed %v", x.Fetch, len(x.Entries), x.Err)
	case replica.Input:
		return fmt.Sprintf("%s%+v", strings.TrimPrefix(fmt.Sprintf("%T", x), "replica."), x)
	}
	return fmt.Sprint(what)
}

func (p persist) String() string {
	s := fmt.Sprintf("  writes %d:", p.seq)
	if p.hard != nil {
		s += fmt.Sprintf(" term %d vote %d", p.hard.Term, p.hard.Vote)
	}
	return s + entries(p.entries)
}

func entries(es []protocol.Entry) string {
	var b strings.Builder
	for _, e := range es {
		fmt.Fprintf(&b, " %d/t%d", e.Index, e.Term)
		if e.Kind == protocol.EntryCommand || e.Kind == protocol.EntrySession {
			fmt.Fprintf(&b, ":%s", writes(e.Kind, [][]byte{e.Payload}))
		}
	}
	return b.String()
}

func writes(kind protocol.EntryKind, payloads [][]byte) string {
	var ws []string
	for _, p := range payloads {
		if kind == protocol.EntrySession {
			ws = append(ws, fmt.Sprintf("%v", decodeChange(p)))
			continue
		}
		ws = append(ws, decodeWrite(p).String())
	}
	return strings.Join(ws, " ")
}

// describe puts a message into words.
func describe(m protocol.Message) string {
	s := fmt.Sprintf("%d->%d %v t%d", m.From, m.To, m.Body.Kind(), m.Term)
	switch b := m.Body.(type) {
	case *protocol.AppendRequest:
		return s + fmt.Sprintf(" prev %d/t%d commit %d round %d:%s", b.Prev.Index, b.Prev.Term, b.Commit, b.Round, entries(b.Entries))
	case *protocol.Forward:
		return s + " " + writes(b.As, b.Payloads)
	case *protocol.AppendResponse:
		if b.Rejected {
			return s + fmt.Sprintf(" rejected %d, hint %d/t%d round %d", b.Match, b.Hint.Index, b.Hint.Term, b.Round)
		}
		return s + fmt.Sprintf(" match %d round %d", b.Match, b.Round)
	}
	return s + " " + strings.TrimPrefix(fmt.Sprintf("%+v", m.Body), "&")
}
