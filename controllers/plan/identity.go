package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// giveIdentity latches what the group is, before anything of it exists. Volumes of an
// earlier RaftCluster of the name are taken up, or nothing is done at all: an empty
// member must never appear beside members that hold data.
func giveIdentity(p *pass) *Decision {
	if p.Cluster.Status.ClusterID != "" {
		return nil
	}
	if names := p.leaving(); len(names) > 0 {
		d := act(Action{Kind: None}, v1alpha1.ReasonCreating,
			"waiting for Kubernetes to delete the PersistentVolumeClaims of an earlier RaftCluster: "+strings.Join(names, ", "))
		return d
	}
	found, problem := p.remains()
	if problem != "" {
		return &Decision{Action: Action{Kind: None}, Progress: Progress{
			Reason: v1alpha1.ReasonRetainedVolumesUnclear,
			Message: problem + "; delete the PersistentVolumeClaims with the label " + v1alpha1.LabelCluster + "=" + p.Cluster.Name +
				" to start empty, or bring the missing ones back",
		}}
	}
	identity, why := found, "taken up from the volumes of an earlier RaftCluster"
	if identity == nil {
		identity = &Identity{ClusterID: p.want.NewClusterID, Replicas: p.Cluster.Spec.Replicas}
		why = "drawn for a new group"
	}
	return act(Action{Kind: LatchCluster, Identity: identity, Why: why}, v1alpha1.ReasonCreating,
		fmt.Sprintf("the group of %d members gets the ID %s, %s", identity.Replicas, identity.ClusterID, why))
}

// leaving names the claims of members that go with an earlier RaftCluster: deleted
// already, or owned by a StatefulSet that is not this RaftCluster's.
func (p *pass) leaving() []string {
	ours := map[types.UID]bool{}
	for _, set := range p.Strays {
		ours[set.UID] = true
	}
	var names []string
	for name, claim := range p.Claims {
		going := claim.DeletionTimestamp != nil
		for _, owner := range claim.OwnerReferences {
			going = going || owner.Kind == "StatefulSet" && !ours[owner.UID]
		}
		if _, ok := p.memberOf(claimedBy(name)); ok && going {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// claimedBy is the name of the member that a claim's name tells.
func claimedBy(claim string) string {
	return strings.TrimSuffix(strings.TrimPrefix(claim, v1alpha1.VolumeName+"-"), "-0")
}

// remains gives the identity that claims and StatefulSets of the cluster's name tell;
// nil when there are none, or what is unclear about them.
func (p *pass) remains() (*Identity, string) {
	ids := map[string]string{}    // cluster ID by object
	members := map[int64]string{} // incarnation by member
	for name, claim := range p.Claims {
		if member, ok := p.memberOf(claimedBy(name)); ok {
			ids["PersistentVolumeClaim "+name] = claim.Annotations[v1alpha1.AnnotationClusterID]
			members[member] = claim.Annotations[v1alpha1.AnnotationFounded]
		}
	}
	for name, set := range p.Strays {
		if member, ok := p.memberOf(name); ok {
			ids["StatefulSet "+name] = set.Annotations[v1alpha1.AnnotationClusterID]
			members[member] += "" // it exists, also without a claim
		}
	}
	if len(ids) == 0 {
		return nil, ""
	}
	if !oneValue(ids) {
		return nil, "objects of this name do not all tell the same group: " + list(ids)
	}
	identity := &Identity{Replicas: int32(len(members)), Incarnations: map[int64]string{}} //nolint:gosec // a handful
	for _, id := range ids {
		identity.ClusterID = id
	}
	for id := int64(1); id <= int64(len(members)); id++ {
		incarnation, ok := members[id]
		if !ok {
			return nil, fmt.Sprintf("of an earlier group %s there are %d members, but member %d is missing", identity.ClusterID, len(members), id)
		}
		if incarnation != "" {
			identity.Incarnations[id] = incarnation
		}
	}
	return identity, ""
}

// memberOf reads the ID from a member's name.
func (p *pass) memberOf(name string) (int64, bool) {
	n, ok := strings.CutPrefix(name, p.Cluster.Name+"-")
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(n, 10, 64)
	return id, err == nil && id > 0
}

// oneValue tells whether all values are the same and none is empty.
func oneValue(ids map[string]string) bool {
	first := ""
	for _, id := range ids {
		if id == "" || first != "" && id != first {
			return false
		}
		first = id
	}
	return true
}

func list(ids map[string]string) string {
	var all []string
	for object, id := range ids {
		all = append(all, fmt.Sprintf("%s has %q", object, id))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
