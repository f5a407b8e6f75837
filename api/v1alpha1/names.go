package v1alpha1

import "strconv"

// VolumeName is the name of a member's volume and the beginning of its claim's.
const VolumeName = "data"

// MemberName is the name of a member and of its StatefulSet.
func (c *RaftCluster) MemberName(id int64) string {
	return c.Name + "-" + strconv.FormatInt(id, 10)
}

// PodName is the name of a member's only pod.
func (c *RaftCluster) PodName(id int64) string { return c.MemberName(id) + "-0" }

// ClaimName is the name of a member's PersistentVolumeClaim.
func (c *RaftCluster) ClaimName(id int64) string { return VolumeName + "-" + c.PodName(id) }

// PeersName is the name of the headless Service that names every member, ready or not.
func (c *RaftCluster) PeersName() string { return c.Name + "-peers" }

// Host is the name under which a member is known to others in the Kubernetes cluster.
// It stays when the pod is replaced.
func (c *RaftCluster) Host(id int64) string {
	return c.PodName(id) + "." + c.PeersName() + "." + c.Namespace + ".svc"
}

// Founders is the number of members that the group was founded with. A status that an older
// operator wrote does not tell: it had no others.
func (s *RaftClusterStatus) Founders() int32 {
	if s.FoundingReplicas != 0 {
		return s.FoundingReplicas
	}
	return s.Replicas
}

// Joining tells whether a member is about to join and has no vote yet, as far as status knows.
func (s *RaftClusterStatus) Joining(id int64) bool {
	c := s.Change
	switch {
	case c == nil || id == 0:
		return false
	case c.Kind == ChangeAbandon:
		return c.Leaving == id
	}
	return c.Joining == id && (c.Step == StepAdding || c.Step == StepPromoting)
}

// Stays tells whether a member is one of those that are to stay: one that joins is, and one that
// leaves is not. One that moves to another volume stays until the other has its vote: it serves.
func (s *RaftClusterStatus) Stays(id int64) bool {
	c := s.Change
	switch {
	case c == nil:
		return true
	case c.Kind == ChangeMove && s.Joining(c.Joining):
		return c.Joining != id
	}
	return c.Leaving != id
}

// Staying is the number of members that are to stay.
func (s *RaftClusterStatus) Staying() int32 {
	n := int32(0)
	for i := range s.Members {
		if s.Stays(s.Members[i].ID) {
			n++
		}
	}
	return n
}

// Gone tells whether a member has left the group, and only its objects are still there.
func (s *RaftClusterStatus) Gone(id int64) bool {
	return s.Change != nil && s.Change.Leaving == id && s.Change.Step == StepCleaningUp
}

// Voters is the IDs of the members that have a vote, as far as status knows.
func (s *RaftClusterStatus) Voters() []int64 {
	var ids []int64
	for i := range s.Members {
		if id := s.Members[i].ID; !s.Joining(id) && !s.Gone(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Member gives the status of a member, nil when there is none of that ID.
func (s *RaftClusterStatus) Member(id int64) *MemberStatus {
	for i := range s.Members {
		if s.Members[i].ID == id {
			return &s.Members[i]
		}
	}
	return nil
}
