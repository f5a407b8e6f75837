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

// Member gives the status of a member, nil when there is none of that ID.
func (s *RaftClusterStatus) Member(id int64) *MemberStatus {
	for i := range s.Members {
		if s.Members[i].ID == id {
			return &s.Members[i]
		}
	}
	return nil
}
