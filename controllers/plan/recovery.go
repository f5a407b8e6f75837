package plan

import (
	"fmt"
	"time"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// finishRestart does the restart that an earlier pass counted. The pod that was counted
// is named, so that the operator may stop anywhere between and nothing is done twice.
func finishRestart(p *pass) *Decision {
	for i := range p.Members {
		m := &p.Members[i]
		r, f := m.Latched.Restarts, p.Fault(m)
		if r == nil || m.Pod == nil || m.Pod.UID != r.PodUID || f == nil || !f.RestartMayHelp() {
			continue
		}
		why := fmt.Sprintf("restart %d because of %s: %s", r.Count, f.Kind, f.Message)
		return act(Action{Kind: RestartPod, Member: m.ID, PodUID: r.PodUID, Why: why}, v1alpha1.ReasonRecovering, "member "+m.Name+": "+why)
	}
	return nil
}

// restartFaultyMembers counts a restart of a member whose fault a new pod may end. A
// fenced member neither votes nor acknowledges: restarting it takes nothing from the
// quorum, so there is no gate but the budget.
func restartFaultyMembers(p *pass) *Decision {
	for i := range p.Members {
		m := &p.Members[i]
		f := p.Fault(m)
		if f == nil || !f.Unrecoverable() && f.Kind != observe.FaultVolumeLost || p.Cluster.Status.Gone(m.ID) || p.onTrial(m) && fromChange(f) {
			continue
		}
		if d := p.restartFaulty(m, f); d != nil {
			return d
		}
	}
	return nil
}

// mostRestarts is the budget of a member's restarts.
func (p *pass) mostRestarts() int32 {
	if most := p.Cluster.Spec.Recovery.MaxRestarts; most != nil {
		return *most
	}
	return defaultRestarts
}

// defaultRestarts is the API's default, for a RaftCluster that was stored before it was.
const defaultRestarts = 3

// fromChange tells whether a fault may come from the pod's settings or its image alone. While the
// change is being tried on that member it is the roll-out that is stuck: neither restarts nor
// a new volume mend it.
func fromChange(f *observe.Fault) bool {
	switch f.Kind {
	case observe.FaultCrashLoop, observe.FaultConfigInvalid, observe.FaultTLSInvalid:
		return true
	}
	return false
}

func (p *pass) restartFaulty(m *observe.Member, f *observe.Fault) *Decision {
	spec, r := p.Cluster.Spec.Recovery, m.Latched.Restarts
	most, count := p.mostRestarts(), int32(0)
	if r != nil {
		count = r.Count
	}
	switch {
	case p.replaces() && p.Votes(m) && p.beyondRestarts(m, f):
		return nil // the rule about replacements tells
	case !f.RestartMayHelp():
		p.note(false, v1alpha1.ReasonRestartUseless, fmt.Sprintf("member %s has the fault %s, which no restart mends; its remedy is %s: %s", m.Name, f.Kind, f.Remedy, f.Message))
		return nil
	case count >= most:
		p.note(false, v1alpha1.ReasonRestartBudgetExhausted, fmt.Sprintf("member %s has the fault %s after %d of %d restarts; its remedy is %s: %s", m.Name, f.Kind, count, most, f.Remedy, f.Message))
		return nil
	// A time that the backoff does not reach was written by a clock that was ahead.
	case r != nil && p.Now.Before(r.NextAt.Time) && r.NextAt.Sub(p.Now) <= backoff(spec.Backoff, r.Count):
		p.note(true, v1alpha1.ReasonRecovering, fmt.Sprintf("member %s has the fault %s; restart %d of %d follows at %s", m.Name, f.Kind, count+1, most, r.NextAt.UTC().Format(time.RFC3339)))
		p.soon(r.NextAt.Sub(p.Now))
		return nil
	}
	counted := countRestart(r, spec.Backoff, p.Now, m.Pod.UID)
	return act(Action{Kind: LatchRestart, Member: m.ID, Restarts: counted}, v1alpha1.ReasonRecovering,
		fmt.Sprintf("member %s has the fault %s; restart %d of %d follows now", m.Name, f.Kind, counted.Count, most))
}
