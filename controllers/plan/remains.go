package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// remains is what claims and StatefulSets of the cluster's name tell of an earlier group.
type remains struct {
	ids      map[string]string // cluster ID by object, of members that have not left
	members  map[int64]string  // incarnation by member
	removed  map[int64]string  // claim by member that has left
	listed   map[int64]bool    // members by the word of any claim
	founders int64             // 0: nobody tells
}

func (p *pass) newIdentity() *Identity {
	n := p.Cluster.Spec.Replicas
	identity := &Identity{ClusterID: p.want.NewClusterID, Founders: n, Highest: int64(n)}
	for id := int64(1); id <= int64(n); id++ {
		identity.Members = append(identity.Members, id)
	}
	return identity
}

// earlier gives the identity that claims and StatefulSets of the cluster's name tell;
// nil when there are none, or what is unclear about them.
func (p *pass) earlier() (*Identity, string) {
	r := p.look()
	if len(r.ids) == 0 {
		if len(r.removed) > 0 {
			return nil, "only volumes of members that had left an earlier group are there: " + strings.Join(slices.Sorted(maps.Values(r.removed)), ", ")
		}
		return nil, ""
	}
	if !oneValue(r.ids) {
		return nil, "objects of this name do not all tell the same group: " + list(r.ids)
	}
	identity := &Identity{Incarnations: map[int64]string{}, Members: slices.Sorted(maps.Keys(r.members))}
	for _, id := range r.ids {
		identity.ClusterID = id
	}
	if id := r.missing(); id != 0 {
		return nil, fmt.Sprintf("of an earlier group %s there are %d members, but member %d is missing", identity.ClusterID, len(r.members), id)
	}
	for id, incarnation := range r.members {
		if incarnation != "" {
			identity.Incarnations[id] = incarnation
		}
		identity.Highest = max(identity.Highest, id)
	}
	for id := range r.removed {
		identity.Highest = max(identity.Highest, id)
	}
	identity.Founders = int32(r.founders) //nolint:gosec // a handful
	if r.founders == 0 {
		identity.Founders = int32(len(r.members)) //nolint:gosec // a handful
	}
	return identity, ""
}

func (p *pass) look() *remains {
	r := &remains{ids: map[string]string{}, members: map[int64]string{}, removed: map[int64]string{}, listed: map[int64]bool{}}
	for name, claim := range p.Claims {
		id, ok := p.memberOf(claimedBy(name))
		switch {
		case !ok:
		case claim.Annotations[v1alpha1.AnnotationRemoved] != "":
			r.removed[id] = name
		default:
			r.ids["PersistentVolumeClaim "+name] = claim.Annotations[v1alpha1.AnnotationClusterID]
			r.members[id] = claim.Annotations[v1alpha1.AnnotationFounded]
			r.read(claim.Annotations)
		}
	}
	for name, set := range p.sets() {
		id, ok := p.memberOf(name)
		if _, gone := r.removed[id]; ok && !gone {
			r.ids["StatefulSet "+name] = set.Annotations[v1alpha1.AnnotationClusterID]
			r.members[id] += "" // it exists, also without a claim
			r.read(set.Annotations)
		}
	}
	return r
}

func (r *remains) read(annotations map[string]string) {
	if n, err := strconv.ParseInt(annotations[v1alpha1.AnnotationFoundingReplicas], 10, 32); err == nil {
		r.founders = max(r.founders, n)
	}
	for _, word := range strings.Split(annotations[v1alpha1.AnnotationMembers], ",") {
		if id, err := strconv.ParseInt(word, 10, 64); err == nil {
			r.listed[id] = true
		}
	}
}

// missing gives a member that was there and is not, 0 for none. Where no claim tells who was a
// member, those from 1 on were.
func (r *remains) missing() int64 {
	expected := slices.Sorted(maps.Keys(r.listed))
	if len(expected) == 0 {
		for id := range int64(len(r.members)) {
			expected = append(expected, id+1)
		}
	}
	for _, id := range expected {
		_, there := r.members[id]
		if _, left := r.removed[id]; !there && !left {
			return id
		}
	}
	return 0
}
