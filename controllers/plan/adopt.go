package plan

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// adoptMembers takes over the StatefulSets of the group that nobody controls. They are
// left as they are: their pods go on.
func adoptMembers(p *pass) *Decision {
	for i := range p.Members {
		m := &p.Members[i]
		if m.Set == nil && p.Orphans[m.Name] != nil {
			return act(Action{Kind: AdoptMember, Member: m.ID}, v1alpha1.ReasonCreating, "member "+m.Name+" is taken over")
		}
	}
	return nil
}

// sets is the StatefulSets that are this RaftCluster's, or may become it, and belong to no
// member yet, by name.
func (p *pass) sets() map[string]*appsv1.StatefulSet {
	all := map[string]*appsv1.StatefulSet{}
	maps.Copy(all, p.Strays)
	maps.Copy(all, p.Orphans)
	return all
}
