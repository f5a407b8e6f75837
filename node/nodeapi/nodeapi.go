package nodeapi

import "time"

// The ports a node listens on.
const (
	ClientPort = 2379 // etcd v3 gRPC
	PeerPort   = 2380 // Raft
	AdminPort  = 2381 // HTTP
)

// The paths of the admin endpoint.
const (
	PathLivez    = "/livez"    // 200 while the process is alive, also when it is fenced
	PathReadyz   = "/readyz"   // 200 when the member can serve clients
	PathStatusz  = "/statusz"  // Status as JSON
	PathMetrics  = "/metrics"  // Prometheus text
	PathTransfer = "/transfer" // POST: hand leadership over
	PathFound    = "/found"    // POST FoundRequest: allow an empty volume to act as a founding member
	PathFaults   = "/faults"   // GET: all kept faults; DELETE: forget them
)

// EnvPrefix is put before the upper-case name of a flag, with - as _, to make
// the name of its environment variable.
const EnvPrefix = "QUORATE_"

// EnvMembership says who may change the membership beside PathMembers. It is given by the
// environment, because a node that is too old to know it must start all the same.
const EnvMembership = EnvPrefix + "MEMBERSHIP"

// The values of EnvMembership.
const (
	MembershipByClients  = "clients"  // the etcd API too; the default
	MembershipByOperator = "operator" // nobody
)

// TerminationMessagePath is where a node that must exit writes its Status as JSON.
const TerminationMessagePath = "/dev/termination-log"

// Role is what a member is at the moment.
type Role string

// The roles.
const (
	RoleLeader    Role = "Leader"
	RoleFollower  Role = "Follower"
	RoleCandidate Role = "Candidate"
	RoleLearner   Role = "Learner" // counts for nothing: a learner, or no member yet or any more
	RoleFenced    Role = "Fenced"  // an unrecoverable fault: no votes, no acknowledgements
)

// Status is the answer of PathStatusz.
type Status struct {
	ClusterID    string   `json:"clusterID"`
	MemberID     uint64   `json:"memberID"`
	Incarnation  string   `json:"incarnation"` // hexadecimal; of the volume; empty while that is not known
	Name         string   `json:"name"`
	Role         Role     `json:"role"`
	Term         uint64   `json:"term"`
	LeaderID     uint64   `json:"leaderID"` // 0: unknown
	LastIndex    uint64   `json:"lastIndex"`
	CommitIndex  uint64   `json:"commitIndex"`
	AppliedIndex uint64   `json:"appliedIndex"`
	Voters       []uint64 `json:"voters"`
	Learners     []uint64 `json:"learners"`
	Health       *Health  `json:"health,omitempty"` // absent: well
	Disk         Disk     `json:"disk"`
	Version      string   `json:"version"`

	// AwaitsFounding: the volume was empty, nothing of Raft runs on it, and nothing will
	// until PathFound names its Incarnation. Absent: the member acts.
	AwaitsFounding bool `json:"awaitsFounding,omitempty"`

	// Removed: this member was one of the cluster and is none any more, which is committed. It
	// serves nobody and is not ready, but stays alive. Absent: it is not known to be so, or it
	// leads until another member takes over, an election timeout at most.
	Removed bool `json:"removed,omitempty"`

	// Formats are the versions of what the node writes and reads; absent: the node is too old
	// to tell.
	Formats *Formats `json:"formats,omitempty"`

	// Membership is the configuration in effect at the member; absent: it is not known
	// yet, as by a member that no leader has added, or the node is too old to tell.
	Membership *Membership `json:"membership,omitempty"`

	// TLS is what the endpoints have loaded; absent: they speak no TLS, or the node is
	// too old to tell.
	TLS *TLS `json:"tls,omitempty"`
}

// Health is the fault that a member suffers from. A member whose Role is not Fenced lives
// with it, and it ends by itself.
type Health struct {
	Fault   string    `json:"fault"`
	Remedy  string    `json:"remedy"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`

	// Resolved: it is over. In the list of PathFaults only.
	Resolved bool `json:"resolved,omitempty"`
}

// Disk tells about the volume, in bytes.
type Disk struct {
	Used             uint64  `json:"used"`
	Free             uint64  `json:"free"`
	Reserved         uint64  `json:"reserved"`
	LastFsyncSeconds float64 `json:"lastFsyncSeconds"`
}
