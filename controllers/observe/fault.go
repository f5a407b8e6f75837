package observe

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quorate/quorate/controllers/nodeclient"
	"github.com/quorate/quorate/node/nodeapi"
)

// Kinds of faults that the operator finds, beside those that a node reports.
const (
	// FaultVolumeLost: a volume is empty, or another than the one that was founded as this
	// member. What the member had acknowledged is gone from it.
	FaultVolumeLost = "VolumeLost"
	// FaultCrashLoop: the container exits again and again without saying why.
	FaultCrashLoop = "CrashLoop"
	// FaultNodeLost: the Kubernetes node that holds the volume is gone, or has not been ready
	// for spec.recovery.nodeLostAfter.
	FaultNodeLost = "NodeLost"
	// FaultConfigInvalid and FaultTLSInvalid are kinds that a node reports: its settings, or
	// its certificates, cannot work.
	FaultConfigInvalid = "ConfigInvalid"
	FaultTLSInvalid    = "TLSInvalid"
	// FaultIdentityMismatch: another member answers in place of this one, or its volume is
	// somebody else's. The node uses the word for the latter.
	FaultIdentityMismatch = "IdentityMismatch"
	// faultUnknown: the member is fenced and names no kind.
	faultUnknown = "Unknown"
)

// Remedies, in the words that nodes use.
const (
	RemedyRestart       = "Restart"
	RemedyReplaceMember = "ReplaceMember"
	RemedyFreeSpace     = "FreeSpace"
	RemedyOperator      = "Operator"
)

// Fault is what a member suffers from.
type Fault struct {
	Kind    string
	Remedy  string
	Message string
	At      time.Time // when it was noticed; zero: unknown
	Fenced  bool      // the member takes no part in Raft
	// Incarnation of the volume that the word is about; empty where that is not known.
	Incarnation string
}

// Unrecoverable tells whether the member does not come back by itself.
func (f *Fault) Unrecoverable() bool { return f.Fenced }

// RestartMayHelp tells whether a new pod may be well again. It cannot where space is
// missing, where a person must act, or where the volume is gone or cannot be trusted.
func (f *Fault) RestartMayHelp() bool {
	return f.Fenced && f.Remedy != RemedyFreeSpace && f.Remedy != RemedyOperator && f.Remedy != RemedyReplaceMember
}

// Fault gives what a member suffers from, nil for nothing that is known. The word of
// this very pod counts only: its answer, or else what its container left behind.
func (o *Observed) Fault(m *Member) *Fault {
	if m.Status == nil {
		if f := o.lost(m); f != nil {
			return f
		}
	}
	if m.Pod == nil || m.Pod.DeletionTimestamp != nil {
		return nil
	}
	var impostor *nodeclient.ImpostorError
	switch {
	case m.Status != nil:
		return o.told(m)
	case errors.As(m.Err, &impostor):
		return &Fault{Kind: FaultIdentityMismatch, Remedy: RemedyOperator, Fenced: true, Message: tail(impostor.Error())}
	}
	return crashed(m.Pod)
}

func (o *Observed) told(m *Member) *Fault {
	s := m.Status
	if s.Health != nil {
		return fromHealth(s, s.Role == nodeapi.RoleFenced)
	}
	latched := m.Latched.Incarnation
	switch {
	case s.Role == nodeapi.RoleFenced:
		return &Fault{Kind: faultUnknown, Remedy: RemedyRestart, Fenced: true, Incarnation: s.Incarnation, Message: "the member is fenced and does not say why"}
	case s.Incarnation == "": // it opens its volume; which one it is is not known yet
		return nil
	case s.AwaitsFounding && o.Cluster.Status.Bootstrapped, latched != "" && s.Incarnation != latched:
		return &Fault{
			Kind: FaultVolumeLost, Remedy: RemedyReplaceMember, Fenced: s.AwaitsFounding,
			Message: fmt.Sprintf("the volume %s is not the one that was founded as this member (incarnation %q, founded %q, awaits founding: %t)",
				o.Cluster.ClaimName(m.ID), s.Incarnation, latched, s.AwaitsFounding),
		}
	}
	return nil
}

// fromHealth takes a node's word, as far as it fits into status.
func fromHealth(s *nodeapi.Status, fenced bool) *Fault {
	h := s.Health
	return &Fault{
		Kind: cmp.Or(h.Fault, faultUnknown), Remedy: cmp.Or(h.Remedy, RemedyRestart),
		Message: tail(h.Message), At: h.At, Fenced: fenced, Incarnation: s.Incarnation,
	}
}

// crashed reads the container's last words. A container that exited once is restarted
// by the kubelet; it is a fault when it left a reason, or when that happens again and
// again.
func crashed(pod *corev1.Pod) *Fault {
	for _, c := range pod.Status.ContainerStatuses {
		last := c.LastTerminationState.Terminated
		if c.State.Terminated != nil {
			last = c.State.Terminated
		}
		if last == nil || c.State.Running != nil && c.Ready {
			continue
		}
		if s := nodeclient.ParseTermination(last.Message); s != nil && s.Health != nil {
			return fromHealth(s, true)
		}
		if w := c.State.Waiting; w != nil && w.Reason == "CrashLoopBackOff" {
			remedy := RemedyRestart
			if last.Reason == "OOMKilled" {
				remedy = RemedyOperator // it needs more memory, not another start
			}
			return &Fault{
				Kind: FaultCrashLoop, Remedy: remedy, Fenced: true, At: last.FinishedAt.Time,
				Message: fmt.Sprintf("the container exited with code %d (%s), %d times: %s", last.ExitCode, last.Reason, c.RestartCount, tail(last.Message)),
			}
		}
	}
	return nil
}

// tail keeps the end of a message, where the cause stands: status has room for no more.
func tail(s string) string {
	const most = 400
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return strings.ToValidUTF8(s, "")
}
