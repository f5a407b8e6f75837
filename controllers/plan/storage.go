package plan

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// Growths gives the members whose claims are to be told to grow. All at once: it stops
// nobody, and a full disk does not wait.
func Growths(o *observe.Observed) []*observe.Member {
	spec := &o.Cluster.Spec
	if o.Cluster.DeletionTimestamp != nil || spec.Paused || spec.Hibernated {
		return nil
	}
	var all []*observe.Member
	for i := range o.Members {
		m := &o.Members[i]
		if claim := o.Claim(m); claim != nil && claim.DeletionTimestamp == nil && o.TooSmall(claim) && fixed(o, claim) == "" {
			all = append(all, m)
		}
	}
	return all
}

// fixed says why a claim cannot grow; empty: it can, or that is not known, and the API server
// says so when it is asked to.
func fixed(o *observe.Observed, claim *corev1.PersistentVolumeClaim) string {
	name := observe.ClassOf(claim)
	if name == "" {
		return "it has no StorageClass"
	}
	if class := o.Classes[name]; class != nil && (class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion) {
		return fmt.Sprintf("its StorageClass %q does not allow volume expansion", name)
	}
	return ""
}

// noteVolumes tells of volumes that are not as wanted, and why. Of members that move, their rule
// tells.
func (p *pass) noteVolumes() {
	var misplaced, failed, growing []string
	for i := range p.Members {
		m := &p.Members[i]
		claim := p.Claim(m)
		if claim == nil || p.Cluster.Status.Gone(m.ID) {
			continue
		}
		how, bad := growth(claim)
		switch why := p.misplaced(claim); {
		case why != "" && p.whyUnmoved(m, claim) != "":
			misplaced = append(misplaced, why+p.whyUnmoved(m, claim))
		case why != "": // its turn comes
		case bad:
			failed = append(failed, how)
		case how != "":
			growing = append(growing, how)
		}
	}
	switch {
	case len(failed) > 0:
		p.note(false, v1alpha1.ReasonExpansionFailed, strings.Join(failed, "; "))
	case len(misplaced) > 0:
		p.note(false, v1alpha1.ReasonVolumeMismatch, strings.Join(misplaced, "; "))
	case len(growing) > 0:
		p.note(true, v1alpha1.ReasonExpandingVolumes, strings.Join(growing, "; "))
	}
}

// growth tells how far the growth of a volume is; empty when it is done. failed: whoever
// provides the volume says that it does not succeed.
func growth(claim *corev1.PersistentVolumeClaim) (how string, failed bool) {
	asks, has := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	if claim.Status.Phase != corev1.ClaimBound || has.Cmp(asks) >= 0 {
		return "", false
	}
	how = fmt.Sprintf("the volume of the claim %s grows from %s to %s", claim.Name, has.String(), asks.String())
	for _, c := range claim.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case corev1.PersistentVolumeClaimControllerResizeError, corev1.PersistentVolumeClaimNodeResizeError:
			return fmt.Sprintf("the volume of the claim %s does not grow from %s to %s: %s", claim.Name, has.String(), asks.String(), c.Message), true
		case corev1.PersistentVolumeClaimFileSystemResizePending:
			how += "; its file system follows once the pod's node has seen it"
		}
	}
	switch s := claim.Status.AllocatedResourceStatuses[corev1.ResourceStorage]; s {
	case corev1.PersistentVolumeClaimControllerResizeInfeasible, corev1.PersistentVolumeClaimNodeResizeInfeasible:
		return fmt.Sprintf("the volume of the claim %s does not grow from %s to %s: %s", claim.Name, has.String(), asks.String(), s), true
	}
	return how, false
}
