package objects

import (
	"fmt"
	"strings"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// serveArgs is the command line of a member. --initial-members with --join makes an
// empty volume wait for the founding grant (nodeapi.FoundRequest), for good: the flags
// need never change, so no restart follows the bootstrap.
func serveArgs(c *v1alpha1.RaftCluster, id int64) []string {
	r := c.Spec.Raft
	return []string{
		"serve",
		"--name=" + c.MemberName(id),
		"--data-dir=" + dataDir,
		fmt.Sprintf("--member-id=%d", id),
		"--cluster-id=" + c.Status.ClusterID,
		fmt.Sprintf("--listen-peer=0.0.0.0:%d", nodeapi.PeerPort),
		fmt.Sprintf("--listen-client=0.0.0.0:%d", nodeapi.ClientPort),
		fmt.Sprintf("--listen-admin=0.0.0.0:%d", nodeapi.AdminPort),
		fmt.Sprintf("--advertise-peer=%s:%d", c.Host(id), nodeapi.PeerPort),
		fmt.Sprintf("--advertise-client=%s:%d", c.Host(id), nodeapi.ClientPort),
		"--initial-members=" + initialMembers(c),
		"--join",
		"--election-timeout=" + r.ElectionTimeout.Duration.String(),
		"--heartbeat-interval=" + r.HeartbeatInterval.Duration.String(),
		fmt.Sprintf("--snapshot-entries=%d", r.SnapshotEntries),
	}
}

// initialMembers is 1=host:port,2=host:port,… of the founding members.
func initialMembers(c *v1alpha1.RaftCluster) string {
	all := make([]string, 0, c.Status.Replicas)
	for id := int64(1); id <= int64(c.Status.Replicas); id++ {
		all = append(all, fmt.Sprintf("%d=%s:%d", id, c.Host(id), nodeapi.PeerPort))
	}
	return strings.Join(all, ",")
}
