package plan

import (
	"fmt"
	"slices"
	"time"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// How soon a cluster is looked at again when nothing happens before.
const (
	PollIdle  = 10 * time.Second // everything is as wanted, or nothing can be done
	PollBusy  = 2 * time.Second  // something is on its way that the API server does not tell
	PollStart = time.Second      // members are being founded
)

// Wanted is what the rules compare the picture with.
type Wanted struct {
	NewClusterID string                      // for a group that has no ID yet
	Templates    map[int64]string            // by member ID, the hash of the pod that is wanted
	Marks        map[int64]map[string]string // by member ID, the annotations that are wanted on its claim
	Certificates *Certificates               // nil: none are needed
}

// Progress is what the condition Progressing says.
type Progress struct {
	Active  bool
	Reason  string
	Message string
}

// Decision is what Next decides.
type Decision struct {
	Action   Action
	Progress Progress
	// Leaderless: there is no leader, though enough members answer.
	Leaderless bool
	// Updated is how many members have the wanted pod.
	Updated int32
	// Requeue is when to look again at the latest.
	Requeue time.Duration
}

// pass is the state of one run through the rules.
type pass struct {
	*observe.Observed
	want    Wanted
	notes   []Progress // refusals and waits, the most important first
	requeue time.Duration
}

// rule gives the next action, or nil to leave it to the rules below.
type rule func(*pass) *Decision

// The rules, in the order in which they are asked.
var rules = []rule{
	leaveDeleting,
	leavePaused,
	giveIdentity,
	adoptMembers,
	hibernate,
	wake,
	noteCertificates,
	createMembers,
	finishRestart,
	markClaims,
	foundMembers,
	settleMembers,
	continueChange,
	forgetCanary,
	replaceMembers,
	updateBrokenMembers,
	restartFaultyMembers,
	scale,
	unlessChanging(moveMembers),
	unlessChanging(rollOut),
}

// unlessChanging lets a rule wait for a change of the membership that is under way.
func unlessChanging(r rule) rule {
	return func(p *pass) *Decision {
		if p.Cluster.Status.Change != nil {
			return nil
		}
		return r(p)
	}
}

// Next decides what is done next.
func Next(o *observe.Observed, want Wanted) Decision {
	p := &pass{Observed: o, want: want, requeue: PollIdle}
	d := p.next()
	d.Leaderless = p.leaderless()
	d.Updated = int32(p.updated()) //nolint:gosec // a handful
	return d
}

func (p *pass) next() Decision {
	for _, r := range rules {
		if d := r(p); d != nil {
			if d.Requeue == 0 {
				d.Requeue = p.requeue
			}
			return *d
		}
	}
	return p.idle()
}

// idle says why nothing is done.
func (p *pass) idle() Decision {
	p.noteStarting()
	p.noteVolumes()
	d := Decision{
		Action:   Action{Kind: None},
		Progress: Progress{Reason: v1alpha1.ReasonStable, Message: "everything is as wanted" + p.evenness()},
		Requeue:  p.requeue,
	}
	if len(p.notes) > 0 {
		d.Progress = p.notes[0]
	}
	// What a person should know comes before what only takes time.
	if i := slices.IndexFunc(p.notes, func(n Progress) bool { return !n.Active }); i >= 0 {
		d.Progress = p.notes[i]
	}
	p.noteRotation(&d)
	return d
}

// evenness warns of a number of members that is allowed and not wise.
func (p *pass) evenness() string {
	if n := p.Cluster.Spec.Replicas; n%2 == 0 {
		return fmt.Sprintf("; %d members tolerate no more failures than %d", n, n-1)
	}
	return ""
}

// noteStarting waits for members that are neither well nor known to be in trouble.
func (p *pass) noteStarting() {
	for i := range p.Members {
		m := &p.Members[i]
		if p.Well(m) || p.Fault(m) != nil || p.Cluster.Status.Gone(m.ID) {
			continue
		}
		message := "waiting for member " + m.Name
		if t := m.Trouble(); t != "" {
			message += " (" + t + ")"
		}
		p.note(true, v1alpha1.ReasonWaitingForMembers, message)
		p.soon(PollBusy)
	}
}

func (p *pass) note(active bool, reason, message string) {
	p.notes = append(p.notes, Progress{Active: active, Reason: reason, Message: message})
}

// soon shortens the time until the next look.
func (p *pass) soon(d time.Duration) {
	if d > 0 && d < p.requeue {
		p.requeue = d
	}
}

func act(a Action, reason, message string) *Decision {
	return &Decision{Action: a, Progress: Progress{Active: true, Reason: reason, Message: message}, Requeue: PollBusy}
}

func leaveDeleting(p *pass) *Decision {
	if p.Cluster.DeletionTimestamp == nil {
		return nil
	}
	return &Decision{
		Action:   Action{Kind: None},
		Progress: Progress{Active: true, Reason: v1alpha1.ReasonDeleting, Message: "Kubernetes collects the objects of this RaftCluster"},
	}
}

func leavePaused(p *pass) *Decision {
	if !p.Cluster.Spec.Paused {
		return nil
	}
	return &Decision{
		Action:   Action{Kind: None},
		Progress: Progress{Reason: v1alpha1.ReasonPaused, Message: "spec.paused is set: nothing is created, changed, restarted or deleted until it is unset"},
	}
}
