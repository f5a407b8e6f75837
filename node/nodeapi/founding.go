package nodeapi

// FoundRequest is the body of POST PathFound: the word that one volume, and no other,
// may act as a founding member.
//
// A member started with both --initial-members and --join on an empty volume draws an
// incarnation, makes it durable on the volume before it tells anybody, and then waits:
// it answers PathLivez with 200, PathReadyz with 503, PathStatusz with AwaitsFounding
// and that incarnation (the same after a restart), and takes no part in Raft. The
// request ends the wait when all three fields are the member's own: the volume is made
// a founding member of the initial members, durably, under that very incarnation,
// before the answer 200. A member founded earlier under these three answers 200 again.
// Any other request changes nothing and is answered 409 with a plain text that says
// which field differs.
//
// Why it is safe to grant is argued in controllers/plan: an incarnation is granted only
// after it was latched in the RaftCluster's status, which has room for one a member.
type FoundRequest struct {
	ClusterID   string `json:"clusterID"`
	MemberID    uint64 `json:"memberID"`
	Incarnation string `json:"incarnation"` // as in Status
}
