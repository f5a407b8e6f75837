package plan

import (
	"fmt"
	"time"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// aWhile is how long a member must not have been ready for it to count as gone: a start
// and an election are over by then.
const aWhile = time.Minute

// updateBrokenMembers gives members that serve nobody the wanted pod without waiting for the
// others to be well: a fix must reach the member that needs it. Those that cannot run as they are
// go first.
func updateBrokenMembers(p *pass) *Decision {
	for _, hopeless := range []bool{true, false} {
		for i := range p.Members {
			m := &p.Members[i]
			if !p.outdated(m) || p.cannotRun(m) != hopeless || !p.mayTakeChange(m) {
				continue
			}
			if d := p.change(m); d != nil {
				return d
			}
		}
	}
	return nil
}

// mayTakeChange tells whether changing a member's pod at once can neither take the quorum
// away nor keep one from coming back that would come back by itself. Not ready counts by the
// kubelet's word alone: what the operator cannot reach may well serve.
//
// The change may be broken. So others get it only when one is seen to run with it (see also
// change); and a member that may come back as it is gets it only where the others are
// a quorum without it, or where enough members for a quorum answer and have found no leader for
// long: then the change is the best there is.
func (p *pass) mayTakeChange(m *observe.Member) bool {
	if ready, _ := m.Ready(); ready {
		return false
	}
	tried, proven := p.trial(m)
	canary := p.Cluster.Status.Canary == m.ID
	switch {
	case tried && !proven && !canary:
		return false
	case !p.Cluster.Status.Bootstrapped, p.cannotRun(m), p.quorumWithout(m):
		return true
	case p.follows(m):
		return false
	case proven, canary: // which has not run with what it has
		return p.unreadyFor(m, aWhile)
	case m.Status == nil:
		return false
	}
	return p.leaderlessFor(aWhile) && p.answering(m.ID) >= p.quorumOfOthers()
}

// change is the next step towards the wanted pod for one member; nil when it must wait. What
// nobody is seen to run with is tried on one member, the canary, which is latched before: so at
// most one member has what may be broken, whatever is wanted and broken one after the other.
func (p *pass) change(m *observe.Member) *Decision {
	status := &p.Cluster.Status
	if _, proven := p.trial(m); proven || !status.Bootstrapped || status.Canary == m.ID {
		return p.update(m)
	}
	if c := p.Member(status.Canary); c != nil && !(p.Well(c) && c.PodHash() == c.TemplateHash()) {
		p.note(false, v1alpha1.ReasonRolloutBlocked, fmt.Sprintf("member %s is not changed while it is not seen that member %s runs with the change", m.Name, c.Name))
		return nil
	}
	return act(Action{Kind: LatchCanary, Member: m.ID}, v1alpha1.ReasonRollingOut, "the change is tried on member "+m.Name+"; "+p.progress())
}

// forgetCanary ends a trial that went well, or that is not needed any more.
func forgetCanary(p *pass) *Decision {
	id := p.Cluster.Status.Canary
	if id == 0 {
		return nil
	}
	if m := p.Member(id); m != nil {
		if _, proven := p.trial(m); p.outdated(m) || !proven && !p.Well(m) {
			return nil
		}
	}
	return act(Action{Kind: LatchCanary}, v1alpha1.ReasonRollingOut, "the change runs; "+p.progress())
}

// trial tells whether another member was given what is wanted now, and whether one is
// seen to run with it.
func (p *pass) trial(m *observe.Member) (tried, proven bool) {
	for i := range p.Members {
		x := &p.Members[i]
		want := p.want.Templates[x.ID]
		if x.ID == m.ID || x.TemplateHash() != want && x.PodHash() != want {
			continue
		}
		tried = true
		proven = proven || x.PodHash() == want && (p.Well(x) || p.mayRun(x, m))
	}
	return tried, proven
}

// mayRun tells whether a member that answers while there is no leader, so that none can be
// ready, counts as running, as far as m is concerned. The canary's answer counts only where
// nothing else is left: there is no quorum without members that cannot run as they are and m is
// one, or enough of the others answer too and have been leaderless for long.
func (p *pass) mayRun(x, m *observe.Member) bool {
	if p.Leader() != nil || !p.Votes(x) || x.Status == nil || p.Fault(x) != nil {
		return false
	}
	if x.ID != p.Cluster.Status.Canary {
		return true
	}
	return p.cannotRun(m) && p.canRun() < p.Quorum() || p.leaderlessFor(patience)
}

// onTrial tells whether what a member suffers from may come from a change: it is the one on
// which the change is tried, and nobody else is seen to run with it.
func (p *pass) onTrial(m *observe.Member) bool {
	if _, proven := p.trial(m); proven || m.Pod == nil || m.PodHash() != p.want.Templates[m.ID] {
		return false
	}
	for i := range p.Members {
		if x := &p.Members[i]; x.ID != m.ID && p.outdated(x) {
			return true
		}
	}
	return false
}

// cannotRun tells whether a member stays away as long as its pod is as it is.
func (p *pass) cannotRun(m *observe.Member) bool {
	f := p.Fault(m)
	return f != nil && f.Unrecoverable() || m.Status == nil && m.Obstacle() != ""
}

// canRun counts the voters that may come back as they are, or are there.
func (p *pass) canRun() int {
	n := 0
	for i := range p.Members {
		if m := &p.Members[i]; p.Votes(m) && !p.cannotRun(m) {
			n++
		}
	}
	return n
}

// quorumWithout tells whether the others are a quorum that serves without a member that
// is not ready.
func (p *pass) quorumWithout(m *observe.Member) bool {
	leader := p.Leader()
	return leader != nil && leader.ID != m.ID && p.Served()
}

// quorumOfOthers is the quorum, or all other voters in a group that has none without one.
func (p *pass) quorumOfOthers() int { return min(p.Quorum(), len(p.Voters())-1) }

// follows tells whether a member is with the leader, which may need it, ready or not.
func (p *pass) follows(m *observe.Member) bool {
	leader := p.Leader()
	return leader != nil && m.Status != nil && m.Status.LeaderID == leader.Status.MemberID
}

// leaderless tells whether enough members answer for a quorum, the canary left out, and have no
// leader all the same.
func (p *pass) leaderless() bool {
	n := p.answering(p.Cluster.Status.Canary)
	return p.Cluster.Status.Bootstrapped && p.Leader() == nil && n > 0 && n >= p.quorumOfOthers()
}

// leaderlessFor tells whether that has been so for a time, as far as it was seen.
func (p *pass) leaderlessFor(d time.Duration) bool {
	since := p.Cluster.Status.LeaderlessSince
	return since != nil && p.leaderless() && p.Now.Sub(since.Time) >= d
}

// answering counts the voters but one that answer and have no fault.
func (p *pass) answering(but int64) int {
	n := 0
	for i := range p.Members {
		if x := &p.Members[i]; x.ID != but && p.Votes(x) && x.Status != nil && p.Fault(x) == nil {
			n++
		}
	}
	return n
}

// unreadyFor tells whether a member has not been ready for that long, as far as its present
// pod can tell. Without a pod there is nothing to wait for.
func (p *pass) unreadyFor(m *observe.Member, d time.Duration) bool {
	if m.Pod == nil {
		return true
	}
	_, since := m.Ready()
	if since.IsZero() {
		since = m.Pod.CreationTimestamp.Time
	}
	return p.Now.Sub(since) >= d
}
