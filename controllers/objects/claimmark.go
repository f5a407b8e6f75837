package objects

import (
	"strconv"
	"strings"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// ClaimMark is the annotations that the operator wants on a member's claim, besides the ones
// that it was made with: by them the group is taken up again when status is gone. Whoever
// applies to a claim as the operator's field owner must apply all of them, or they go.
func ClaimMark(c *v1alpha1.RaftCluster, id int64) map[string]string {
	s := &c.Status
	mark := map[string]string{
		v1alpha1.AnnotationFoundingReplicas: strconv.Itoa(int(s.Founders())),
		v1alpha1.AnnotationMembers:          keptMembers(s),
	}
	if m := s.Member(id); m != nil && m.Incarnation != "" {
		mark[v1alpha1.AnnotationFounded] = m.Incarnation
	}
	if s.Gone(id) {
		mark[v1alpha1.AnnotationRemoved] = "true"
	}
	return mark
}

// keptMembers lists the members whose volumes make up the group: not one that joins, whose
// volume nobody misses, and not one that is gone.
func keptMembers(s *v1alpha1.RaftClusterStatus) string {
	var ids []string
	for _, id := range s.Voters() {
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	return strings.Join(ids, ",")
}
