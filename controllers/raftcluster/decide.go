package raftcluster

import (
	"github.com/google/uuid"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// decide asks the plan, which knows neither the objects nor randomness.
func (r *Reconciler) decide(o *observe.Observed) plan.Decision {
	want := plan.Wanted{NewClusterID: uuid.NewString(), Templates: map[int64]string{}, Marks: map[int64]map[string]string{}}
	for i := range o.Members {
		m := &o.Members[i]
		set := objects.Member(o.Cluster, r.Options, m.ID, m.Set)
		want.Templates[m.ID] = set.Annotations[v1alpha1.AnnotationTemplateHash]
		want.Marks[m.ID] = objects.ClaimMark(o.Cluster, m.ID)
	}
	want.Certificates = certificates(o)
	return plan.Next(o, want)
}
