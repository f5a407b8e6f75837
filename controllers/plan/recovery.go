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
		if f == nil || !f.Unrecoverable() {
			continue
		}
		if d := p.restartFaulty(m, f); d != nil {
			return d
		}
	}
	return nil
}

func (p *pass) restartFaulty(m *observe.Member, f *observe.Fault) *Decision {
	spec, r := p.Cluster.Spec.Recovery, m.Latched.Restarts
	most, count := int32(3), int32(0)
	if spec.MaxRestarts != nil {
		most = *spec.MaxRestarts
	}
	if r != nil {
		count = r.Count
	}
	switch {
	case !f.RestartMayHelp():
		p.note(false, v1alpha1.ReasonRestartUseless, fmt.Sprintf("member %s has the fault %s, which no restart mends; its remedy is %s: %s", m.Name, f.Kind, f.Remedy, f.Message))
		return nil
	case count >= most:
		p.note(false, v1alpha1.ReasonRestartBudgetExhausted, fmt.Sprintf("member %s has the fault %s after %d of %d restarts; its remedy is %s: %s", m.Name, f.Kind, count, most, f.Remedy, f.Message))
		return nil
	case r != nil && p.Now.Before(r.NextAt.Time):
		p.note(true, v1alpha1.ReasonRecovering, fmt.Sprintf("member %s has the fault %s; restart %d of %d follows at %s", m.Name, f.Kind, count+1, most, r.NextAt.UTC().Format(time.RFC3339)))
		p.soon(r.NextAt.Sub(p.Now))
		return nil
	}
	counted := countRestart(r, spec.Backoff, p.Now, m.Pod.UID)
	return act(Action{Kind: LatchRestart, Member: m.ID, Restarts: counted}, v1alpha1.ReasonRecovering,
		fmt.Sprintf("member %s has the fault %s; restart %d of %d follows now", m.Name, f.Kind, counted.Count, most))
}
