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
	found, problem := p.earlier()
	if problem != "" {
		return &Decision{Action: Action{Kind: None}, Progress: Progress{
			Reason: v1alpha1.ReasonRetainedVolumesUnclear,
			Message: problem + "; delete the PersistentVolumeClaims with the label " + v1alpha1.LabelCluster + "=" + p.Cluster.Name +
				" to start empty, or bring the missing ones back",
		}}
	}
	identity, why := found, "taken up from the volumes of an earlier RaftCluster"
	if identity == nil {
		identity = p.newIdentity()
		why = "drawn for a new group"
	}
	return act(Action{Kind: LatchCluster, Identity: identity, Why: why}, v1alpha1.ReasonCreating,
		fmt.Sprintf("the group of %d members gets the ID %s, %s", len(identity.Members), identity.ClusterID, why))
}

// leaving names the claims of members that go with an earlier RaftCluster: deleted
// already, or owned by a StatefulSet that is not this RaftCluster's.
func (p *pass) leaving() []string {
	ours := map[types.UID]bool{}
	for _, set := range p.sets() {
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
