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

// TerminationMessagePath is where a node that must exit writes its Status as JSON.
const TerminationMessagePath = "/dev/termination-log"

// Role is what a member is at the moment.
type Role string

// The roles.
const (
	RoleLeader    Role = "Leader"
	RoleFollower  Role = "Follower"
	RoleCandidate Role = "Candidate"
	RoleLearner   Role = "Learner"
	RoleFenced    Role = "Fenced" // an unrecoverable fault: no votes, no acknowledgements
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
