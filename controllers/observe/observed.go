package observe

import (
	"crypto/tls"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/pki"
	"github.com/quorate/quorate/node/nodeapi"
)

// catchUpSlack is how many entries a member may be behind the leader's commit index and
// still count as caught up: the two are asked at slightly different moments under load.
const catchUpSlack = 5000

// Observed is everything known of one cluster at one moment. It is never changed.
type Observed struct {
	Now     time.Time
	Cluster *v1alpha1.RaftCluster
	Members []Member                                 // those of status.members, by ID
	Shared  map[Key]client.Object                    // the cluster's objects that belong to no member
	Claims  map[string]*corev1.PersistentVolumeClaim // of the cluster's label, by name, also of an earlier RaftCluster
	Strays  map[string]*appsv1.StatefulSet           // StatefulSets of the cluster that belong to no member, by name
	Orphans map[string]*appsv1.StatefulSet           // StatefulSets of the group that nobody controls, by name
	Classes map[string]*storagev1.StorageClass       // of claims that are to grow, by name; nil: it cannot be read
	Nodes   map[string]*corev1.Node                  // Kubernetes nodes that members which are not ready need, by name; nil: it is gone
	Secrets map[string]*corev1.Secret                // of certificates, by name; those of mode Secret are the user's

	// Certificates are cert-manager's, by name. NoCertManager: it is not installed.
	Certificates  map[string]*unstructured.Unstructured
	NoCertManager bool

	dial    *tls.Config // what the operator shows to members; nil: they speak plain HTTP
	dialErr error       // why it has nothing to show
	ownCA   pki.Picture
	due     pki.Plan
}

// Key names an object within the cluster's namespace.
type Key struct{ Kind, Name string }

// Member is one member of the group, as far as it exists.
type Member struct {
	ID   int64
	Name string
	Set  *appsv1.StatefulSet // nil: none
	Pod  *corev1.Pod         // nil: none
	// Status is the member's own answer; nil when it did not answer, and then Err says why.
	Status *nodeapi.Status
	Err    error
	// Stray says why a pod of the member's name is not its Pod; empty: there is none.
	Stray string
	// Latched is what status remembers of it; the zero value when nothing.
	Latched v1alpha1.MemberStatus
}

// Member gives the member of that ID, nil for none.
func (o *Observed) Member(id int64) *Member {
	for i := range o.Members {
		if o.Members[i].ID == id {
			return &o.Members[i]
		}
	}
	return nil
}

// Leader gives the member that leads by its own word in the highest term, nil for none.
// Of two that say so the older term's has not heard of its successor yet.
func (o *Observed) Leader() *Member {
	var leader *Member
	for i := range o.Members {
		m := &o.Members[i]
		if m.Status == nil || m.Status.Role != nodeapi.RoleLeader {
			continue
		}
		if leader == nil || m.Status.Term > leader.Status.Term {
			leader = m
		}
	}
	return leader
}

// Term is the highest term that a member told, or that status remembers.
func (o *Observed) Term() int64 {
	term := o.Cluster.Status.Term
	for i := range o.Members {
		if s := o.Members[i].Status; s != nil {
			term = max(term, int64(s.Term)) //nolint:gosec // terms count elections
		}
	}
	return term
}

// Ready tells whether the pod counts as ready in Kubernetes, and since when.
func (m *Member) Ready() (bool, time.Time) {
	if m.Pod == nil || m.Pod.DeletionTimestamp != nil {
		return false, time.Time{}
	}
	for _, c := range m.Pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// Well tells whether a member answers, has no fault, acts and is ready.
func (o *Observed) Well(m *Member) bool {
	ready, _ := m.Ready()
	return ready && m.Status != nil && !m.Status.AwaitsFounding && m.Status.Role != nodeapi.RoleFenced && o.Fault(m) == nil
}

// WellSince is the moment since which the pod is ready, for a member that is well.
func (o *Observed) WellSince(m *Member) (time.Time, bool) {
	_, since := m.Ready()
	return since, o.Well(m)
}

// CaughtUp tells whether a member's log reaches the leader's commit index, nearly.
func (o *Observed) CaughtUp(m *Member) bool {
	leader := o.Leader()
	if leader == nil || m.Status == nil {
		return false
	}
	return m.Status.LastIndex+catchUpSlack >= leader.Status.CommitIndex
}

// Suffers is the fault that status shows: the one that is seen now, or else the one seen
// last as long as the member is not well. A restart alone mends nothing.
func (o *Observed) Suffers(m *Member) *v1alpha1.MemberFault {
	f, last := o.Fault(m), m.Latched.Fault
	if f == nil {
		if last == nil || o.Well(m) {
			return nil
		}
		return last.DeepCopy()
	}
	at := o.Now
	if !f.At.IsZero() && f.At.Before(o.Now) { // a member's clock may be ahead
		at = f.At
	}
	shown := &v1alpha1.MemberFault{Kind: f.Kind, Remedy: f.Remedy, Message: f.Message, Fenced: f.Fenced || f.Kind == FaultVolumeLost, Since: metav1.NewTime(at).Rfc3339Copy()}
	if last != nil && last.Kind == f.Kind && !last.Since.After(o.Now) { // nor the operator's, when it wrote that
		shown.Since = last.Since
	}
	return shown
}

// Claim is the claim of a member's volume, nil for none.
func (o *Observed) Claim(m *Member) *corev1.PersistentVolumeClaim {
	return o.Claims[o.Cluster.ClaimName(m.ID)]
}

// TemplateHash is the pod that the StatefulSet makes; empty for no StatefulSet.
func (m *Member) TemplateHash() string {
	if m.Set == nil {
		return ""
	}
	return m.Set.Annotations[v1alpha1.AnnotationTemplateHash]
}

// PodHash is the template that the pod was made from; empty for no pod.
func (m *Member) PodHash() string {
	if m.Pod == nil {
		return ""
	}
	return m.Pod.Annotations[v1alpha1.AnnotationTemplateHash]
}

// Trouble says why a pod does not run, in Kubernetes' words; empty when nothing is known.
func (m *Member) Trouble() string {
	if m.Pod == nil {
		return m.Stray
	}
	for _, c := range m.Pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return strings.TrimSpace(w.Reason + ": " + w.Message)
		}
	}
	for _, c := range m.Pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return strings.TrimSpace(c.Reason + ": " + c.Message)
		}
	}
	return ""
}
