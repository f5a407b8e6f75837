package spec

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// started explains what a server starts from.
func (c *Check) started(i server, from replica.Restore, after replica.Status) error {
	v := c.servers[i]
	first := v == nil
	if first {
		v = &variables{}
		c.servers[i] = v
		if from.Hard != (protocol.HardState{}) || from.Log.Last != 0 {
			return fmt.Errorf("server %d begins with %+v, Init has an empty log and currentTerm 0", i, from)
		}
	}
	if err := c.Restart(i, from); err != nil {
		return err
	}
	if first {
		v.founding = after.Membership
		if len(c.servers) == 1 {
			c.founding = after.Membership
		}
	}
	in, err := c.inEffect(v)
	if err != nil {
		return err
	}
	v.membership = in
	if after.Term != v.currentTerm || after.Vote != v.votedFor || after.Last != v.log.last() || after.Commit != v.commitIndex || role(after.Role) != follower {
		return fmt.Errorf("server %d says %+v after Restart(%d), which gives currentTerm %d, votedFor %d, a log up to %v and commitIndex %d",
			i, after, i, v.currentTerm, v.votedFor, v.log.last(), v.commitIndex)
	}
	return nil
}

// Restart keeps currentTerm, votedFor and log, as far as they were durable: of what was on its way to
// the disk a prefix may have arrived.
func (c *Check) Restart(i server, from replica.Restore) error {
	v := c.servers[i]
	c.endReign(i)
	hards := v.hards()
	if !c.recovered(v, from) && !(hards[from.Hard] && c.recoveredFromSnapshot(i, from)) {
		return disabled("Restart", "server %d comes back with %+v; its disk had currentTerm %d, votedFor %d and a log up to %v, after all that was written to it", i, from, v.durable.currentTerm, v.durable.votedFor, v.durable.log.last())
	}
	if from.Applied.Index > 0 && (!c.committed.has(from.Applied) || !v.durable.log.has(from.Applied)) {
		return disabled("Restart", "server %d has applied %v, committed is up to %v", i, from.Applied, c.committed.last())
	}
	v.writes = nil
	v.persistent = persistent{v.durable.currentTerm, v.durable.votedFor, append(sequence{}, v.durable.log...)}
	v.state, v.commitIndex = follower, from.Applied.Index
	v.votesResponded, v.votesGranted = map[server]bool{}, map[server]bool{}
	v.nextIndex, v.matchIndex = nil, nil
	return c.did("Restart")
}

// hards gives what the disk may hold as term and vote after a crash.
func (v *variables) hards() map[protocol.HardState]bool {
	all := map[protocol.HardState]bool{{Term: v.durable.currentTerm, Vote: v.durable.votedFor}: true}
	for _, w := range v.writes {
		if w.hard != nil {
			all[*w.hard] = true
		}
	}
	return all
}

// recovered lets writes reach the disk, the last one of them perhaps in part, until it
// holds what was found on it.
func (c *Check) recovered(v *variables, from replica.Restore) bool {
	for {
		if v.durable.is(from) {
			return true
		}
		if len(v.writes) == 0 {
			return false
		}
		w := v.writes[0]
		v.writes = v.writes[1:]
		if v.durable.torn(w, from) {
			return true
		}
		v.durable.apply(w)
	}
}

// torn tries the parts of a write: first its term and vote, then entries from the front.
func (p *persistent) torn(w write, from replica.Restore) bool {
	for n := range len(w.entries) + 1 {
		try := persistent{p.currentTerm, p.votedFor, p.log}
		part := write{hard: w.hard}
		if n > 0 {
			part.at, part.entries = w.at, w.entries[:n]
			try.log = append(sequence{}, p.log...)
		}
		try.apply(part)
		if try.is(from) {
			*p = try
			return true
		}
	}
	return false
}

// recoveredFromSnapshot tries a snapshot that the server was sent: when the crash came
// after it had arrived and before it was installed, it takes the place of the log now.
func (c *Check) recoveredFromSnapshot(i server, from replica.Restore) bool {
	last := from.Log.Base
	if !c.offered[i] || last.Index == 0 || from.Log.Last != last.Index || !c.committed.has(last) {
		return false
	}
	c.servers[i].founding = c.founding
	d := &c.servers[i].durable
	d.currentTerm, d.votedFor = from.Hard.Term, from.Hard.Vote
	d.log = append(sequence{}, c.committed[:last.Index]...)
	return true
}

// is reports whether this is what was found on a disk.
func (p *persistent) is(from replica.Restore) bool {
	if from.Hard.Term != p.currentTerm || from.Hard.Vote != p.votedFor || from.Log.Last != p.log.len() || !p.log.has(from.Log.Base) {
		return false
	}
	for n, t := range from.Log.Terms {
		end := from.Log.Last
		if n+1 < len(from.Log.Terms) {
			end = from.Log.Terms[n+1].First - 1
		}
		for at := t.First; at <= end; at++ {
			if p.log.term(at) != t.Term {
				return false
			}
		}
	}
	return true
}
