package objects

import (
	"fmt"
	"strings"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// serveArgs is the command line of a member. --initial-members with --join makes an
// empty volume wait for the founding grant (nodeapi.FoundRequest); --join alone makes it
// wait for the leader. Which of the two a member has is decided by its ID, for good: no
// restart follows the bootstrap or a change of the membership.
func serveArgs(c *v1alpha1.RaftCluster, id int64) []string {
	r := c.Spec.Raft
	args := []string{
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
	}
	if id <= int64(c.Status.Founders()) {
		args = append(args, "--initial-members="+initialMembers(c))
	}
	args = append(
		args,
		"--join",
		"--election-timeout="+r.ElectionTimeout.Duration.String(),
		"--heartbeat-interval="+r.HeartbeatInterval.Duration.String(),
		fmt.Sprintf("--snapshot-entries=%d", r.SnapshotEntries),
	)
	return append(args, tlsArgs(c)...)
}

// initialMembers is 1=host:port,2=host:port,… of the founding members.
func initialMembers(c *v1alpha1.RaftCluster) string {
	founders := int64(c.Status.Founders())
	all := make([]string, 0, founders)
	for id := int64(1); id <= founders; id++ {
		all = append(all, fmt.Sprintf("%d=%s:%d", id, c.Host(id), nodeapi.PeerPort))
	}
	return strings.Join(all, ",")
}
