package nodeclient

import (
	"fmt"

	"github.com/quorate/quorate/node/nodeapi"
)

// ImpostorError tells that another member answers in place of the target. Nothing that it
// says is taken for the target's word.
type ImpostorError struct {
	Target    Target
	ClusterID string // that it told
	MemberID  uint64 // that it told
}

// Error implements error.
func (e *ImpostorError) Error() string {
	return fmt.Sprintf("%s of %s: member %d of cluster %q answers in place of member %d of %q",
		nodeapi.PathStatusz, e.Target.Host, e.MemberID, e.ClusterID, e.Target.MemberID, e.Target.ClusterID)
}
