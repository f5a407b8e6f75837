package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// noteRefusedChanges tells of wishes that are not fulfilled. Nothing is done about them,
// not even in part, and everything else goes on.
func noteRefusedChanges(p *pass) *Decision {
	spec, status := &p.Cluster.Spec, &p.Cluster.Status
	if spec.Replicas != status.Replicas {
		p.note(false, v1alpha1.ReasonScaleNotSupported, fmt.Sprintf(
			"spec.replicas is %d, but this group was founded with %d members and cannot be scaled yet; set spec.replicas back to %d",
			spec.Replicas, status.Replicas, status.Replicas))
	}
	for i := range p.Members {
		m := &p.Members[i]
		if m.Set == nil || len(m.Set.Spec.VolumeClaimTemplates) != 1 {
			continue
		}
		has := m.Set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage]
		if spec.Storage.Size.Cmp(has) > 0 {
			p.note(false, v1alpha1.ReasonExpansionNotSupported, fmt.Sprintf(
				"spec.storage.size is %s, but the volumes were made with %s and cannot be expanded by the operator yet; nothing was changed",
				spec.Storage.Size.String(), has.String()))
			break
		}
	}
	return nil
}
