package devtools_test

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// extras are what a picture shows although it is left out elsewhere.
type extras struct {
	preVotes bool
	rounds   bool // heartbeats of a read round, and their answers
	lives    bool // notes where a leader finds out that a follower was restarted
}

// legible leaves out what tells nothing new: pre-votes, what is sent to a member that
// is down, heartbeats that are neither refused nor bring a commit index, and
// acknowledgements of what was acknowledged before.
func legible(p *play, shows extras) []pauser.Event {
	l := leavingOut{extras: shows, status: map[protocol.MemberID]pauser.Status{}, match: map[acknowledgement]protocol.Index{}, boots: map[protocol.MemberID]protocol.Boot{}}
	var shown []pauser.Event
	for i, e := range p.events {
		offstage := slices.ContainsFunc(p.hidden, func(r [2]int) bool { return r[0] <= i && i < r[1] })
		note := l.newLife(e)
		if (l.shows(e, p.events[i+1:]) || note != "") && !offstage {
			e.Note = inWords(e.Note)
			shown = append(shown, e)
		}
		if note != "" && !offstage {
			shown = append(shown, pauser.Event{Kind: pauser.Fault, Member: e.Member, Note: note})
		}
		if e.Kind == pauser.Changed {
			l.status[e.Member] = e.Status
		}
	}
	return shown
}

type leavingOut struct {
	extras
	boots  map[protocol.MemberID]protocol.Boot // of the followers that the leader has heard
	status map[protocol.MemberID]pauser.Status
	match  map[acknowledgement]protocol.Index // that was shown
}

type acknowledgement struct {
	from, to protocol.MemberID
	term     protocol.Term
}

func (l *leavingOut) shows(e pauser.Event, next []pauser.Event) bool {
	switch {
	case e.Kind == pauser.Sent:
		return false // it is drawn where it arrives or is lost
	case e.Kind == pauser.Changed:
		return e.Status.Role != replica.PreCandidate || l.preVotes
	case e.Kind == pauser.Fault:
		return true
	case e.Kind == pauser.Dropped && !l.status[e.Message.To].Up:
		return false
	}
	m := e.Message
	switch b := m.Body.(type) {
	case *protocol.PreVoteRequest, *protocol.PreVoteResponse:
		return l.preVotes
	case *protocol.AppendRequest:
		return len(b.Entries) > 0 || l.rounds && b.Round > 0 || e.Kind == pauser.Arrived && l.matters(m, next)
	case *protocol.AppendResponse:
		a := acknowledgement{m.From, m.To, m.Term}
		if b.Rejected || l.rounds && b.Round > 0 {
			return true
		}
		if b.Match <= l.match[a] || m.Term == 1 && b.Match == 1 {
			return false // the picture begins when entry 1 is committed
		}
		l.match[a] = b.Match
	}
	return true
}

// newLife notes the answer that tells a leader that a follower was restarted. The picture
// begins with everybody in the life that the leader knows.
func (l *leavingOut) newLife(e pauser.Event) string {
	a, ok := e.Message.Body.(*protocol.AppendResponse)
	if !l.lives || !ok || e.Kind != pauser.Arrived {
		return ""
	}
	known, heard := l.boots[e.Message.From]
	l.boots[e.Message.From] = a.Boot
	if !heard || known == a.Boot {
		return ""
	}
	clear(l.match) // what is acknowledged again is news
	return fmt.Sprintf("another life of member %d, matchIndex is 0 again", e.Message.From)
}

// matters reports whether the receiver commits by the heartbeat, or refuses it. Its new
// status follows at once; its answer may wait until a new term is durable.
func (l *leavingOut) matters(m protocol.Message, next []pauser.Event) bool {
	for stepped, answered := false, false; len(next) > 0 && !(stepped && answered); next = next[1:] {
		e := next[0]
		if e.Member != m.To {
			continue
		}
		if e.Kind == pauser.Changed && !stepped {
			stepped = true
			if e.Status.Commit > l.status[m.To].Commit {
				return true
			}
		}
		if a, ok := e.Message.Body.(*protocol.AppendResponse); ok && e.Kind == pauser.Sent && !answered {
			answered = true
			if a.Rejected {
				return true
			}
		}
	}
	return false
}

var (
	hardState = regexp.MustCompile(`\{Term:(\d+) Vote:(\d+)\}`)
	entryID   = regexp.MustCompile(`\{(\d+) (\d+)\}`)
)

// inWords writes the values in the simulator's notes as the rest of the picture does.
func inWords(note string) string {
	return entryID.ReplaceAllString(hardState.ReplaceAllString(note, "term $1, vote $2"), "$2/$1")
}
