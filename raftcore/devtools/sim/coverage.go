package sim

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Coverage counts what a run reached, so that a simulation that has gone blind is
// noticed.
type Coverage struct {
	Cells [roles][kinds]int // messages taken, by the receiver's role and the kind

	Elections, Commits, Cuts, Fetches, Compactions, Snapshots   int
	Restarts, PowerLosses, Partitions, Dropped, LostLogs        int
	Writes, Reads, WritesRefused, ReadsRefused, Transfers, Runs int
	Sleeps                                                      int
	MaxIndex                                                    protocol.Index
}

const (
	roles = int(replica.Learner) + 1
	kinds = int(protocol.KindRepairResponse) + 1
)

func (v *Coverage) input(m *member, in replica.Input) {
	switch in := in.(type) {
	case replica.Receive:
		v.Cells[m.role][in.Message.Body.Kind()]++
	case replica.Transfer:
		v.Transfers++
	}
}

// cut counts an overwrite of entries.
func (v *Coverage) cut(n int) {
	if n > 0 {
		v.Cuts++
	}
}

// counts gives the figures by name.
func (v *Coverage) counts() []struct {
	name string
	n    *int
} {
	type count = struct {
		name string
		n    *int
	}
	return []count{
		{"runs", &v.Runs},
		{"elections", &v.Elections},
		{"commits", &v.Commits},
		{"overwrites", &v.Cuts},
		{"fetches", &v.Fetches},
		{"compactions", &v.Compactions},
		{"snapshots installed", &v.Snapshots},
		{"restarts", &v.Restarts},
		{"power losses", &v.PowerLosses},
		{"partitions", &v.Partitions},
		{"messages dropped", &v.Dropped},
		{"logs lost", &v.LostLogs},
		{"writes acknowledged", &v.Writes},
		{"reads served", &v.Reads},
		{"writes refused", &v.WritesRefused},
		{"reads refused", &v.ReadsRefused},
		{"transfers", &v.Transfers},
		{"sleeps", &v.Sleeps},
	}
}

// Add adds another run's figures.
func (v *Coverage) Add(o Coverage) {
	theirs := o.counts()
	for i, c := range v.counts() {
		*c.n += *theirs[i].n
	}
	for r := range v.Cells {
		for k := range v.Cells[r] {
			v.Cells[r][k] += o.Cells[r][k]
		}
	}
	v.MaxIndex = max(v.MaxIndex, o.MaxIndex)
}

// unsent are kinds of messages that no member sends here: snapshots travel as a whole, and
// the others have no sender yet.
var unsent = map[protocol.MessageKind]bool{
	protocol.KindSnapshotRequest: true, protocol.KindSnapshotResponse: true,
	protocol.KindForwardRefused: true, protocol.KindResigned: true,
	protocol.KindRepairRequest: true, protocol.KindRepairResponse: true,
}

// Missing names what was never reached though every large simulation must reach it.
func (v *Coverage) Missing() []string {
	var missing []string
	for _, c := range v.counts() {
		if *c.n == 0 {
			missing = append(missing, c.name)
		}
	}
	for _, r := range []replica.Role{replica.Follower, replica.PreCandidate, replica.Candidate, replica.Leader} {
		for _, k := range protocol.MessageKinds() {
			if !unsent[k] && v.Cells[r][k] == 0 {
				missing = append(missing, fmt.Sprintf("%v takes %v", roleNames[r], k))
			}
		}
	}
	for _, k := range []protocol.MessageKind{protocol.KindAppendRequest, protocol.KindReadResponse} {
		if v.Cells[replica.Learner][k] == 0 {
			missing = append(missing, fmt.Sprintf("Learner takes %v", k))
		}
	}
	return missing
}

// String gives a table.
func (v *Coverage) String() string {
	var b strings.Builder
	for _, c := range v.counts() {
		fmt.Fprintf(&b, "%-22s %12d\n", c.name, *c.n)
	}
	fmt.Fprintf(&b, "%-22s %12d\n", "highest index", v.MaxIndex)
	fmt.Fprintf(&b, "%-22s %12s %12s %12s %12s %12s\n", "messages taken by", roleNames[0], roleNames[1], roleNames[2], roleNames[3], roleNames[4])
	for _, k := range protocol.MessageKinds() {
		fmt.Fprintf(&b, "%-22s %12d %12d %12d %12d %12d\n", k, v.Cells[0][k], v.Cells[1][k], v.Cells[2][k], v.Cells[3][k], v.Cells[4][k])
	}
	return b.String()
}

var roleNames = [roles]string{"Follower", "PreCandidate", "Candidate", "Leader", "Learner"}
