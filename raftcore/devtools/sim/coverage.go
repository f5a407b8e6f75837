package sim

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Coverage counts what a run reached, so that a simulation that has gone blind is
// noticed.
type Coverage struct {
	Cells  [roles][kinds]int // messages taken, by the receiver's role and the kind
	Struck [faultKinds]int   // what went wrong, by the kinds of Faults
	Points [points]int       // crashes between two steps of a member's duties
	Shapes [shapes]int       // partitions

	Fitness [replica.Unable + 1]int // what members found about themselves

	Changes     [changeAnswers]int // answers to changes of the membership: taken, or refused for a reason
	Transitions [transitions]int   // configurations that were committed

	Runs, Phases                                                                    int
	Elections, Commits, Cuts, Fetches, Compactions, Snapshots                       int
	Restarts, Dropped, Resumed, DamagedChunks, Repaired, Unrepairable, Fenced       int
	Writes, Reads, WritesRefused, ReadsRefused                                      int
	SessionsOpened, SessionsLost, SessionRefused, AskedAgain, Repeated, FullRefused int
	MaxIndex                                                                        protocol.Index
}

const (
	roles      = int(replica.Learner) + 1
	kinds      = int(protocol.KindRepairResponse) + 1
	faultKinds = len(faultNames)
)

func (v *Coverage) input(m *member, in replica.Input) {
	if in, ok := in.(replica.Receive); ok {
		v.taken(m, in.Message)
	}
}

func (v *Coverage) taken(m *member, msg protocol.Message) { v.Cells[m.role][msg.Body.Kind()]++ }

// struck counts a fault of the kind.
func (c *Cluster) struck(kind Faults) { c.coverage.Struck[bits.TrailingZeros32(uint32(kind))]++ }

// cut counts an overwrite of entries.
func (v *Coverage) cut(n int) {
	if n > 0 {
		v.Cuts++
	}
}

type count struct {
	name string
	n    *int
}

// section is a part of the figures.
type section struct {
	name   string
	counts []count
}

// sections gives the figures by name.
func (v *Coverage) sections() []section {
	return []section{
		{"what happened", []count{
			{"runs", &v.Runs},
			{"later phases of faults", &v.Phases},
			{"elections", &v.Elections},
			{"commits", &v.Commits},
			{"overwrites", &v.Cuts},
			{"fetches", &v.Fetches},
			{"compactions", &v.Compactions},
			{"snapshots installed", &v.Snapshots},
			{"snapshots resumed", &v.Resumed},
			{"damaged chunks refused", &v.DamagedChunks},
			{"records repaired", &v.Repaired},
			{"records lost everywhere", &v.Unrepairable},
			{"new volumes fenced", &v.Fenced},
			{"restarts", &v.Restarts},
			{"messages dropped", &v.Dropped},
			{"writes acknowledged", &v.Writes},
			{"reads served", &v.Reads},
			{"writes refused", &v.WritesRefused},
			{"reads refused", &v.ReadsRefused},
			{"refused by full disks", &v.FullRefused},
			{"sessions opened", &v.SessionsOpened},
			{"sessions expired", &v.SessionsLost},
			{"requests sent again", &v.AskedAgain},
			{"duplicates not executed", &v.Repeated},
			{"refused, asked again", &v.SessionRefused},
		}},
		{"fitness found", named(v.Fitness[:], []string{"fit again", "unfit", "unable"})},
		{"changes asked for", named(v.Changes[:], changeNames())},
		{"changes made", named(v.Transitions[:], transitionNames[:])},
		{"faults", named(v.Struck[:], faultNames[:])},
		{"crashes at points", named(v.Points[:], pointNames[:])},
		{"shapes of partitions", named(v.Shapes[:], shapeNames[:])},
	}
}

func named(ns []int, names []string) []count {
	counts := make([]count, len(ns))
	for i := range ns {
		counts[i] = count{names[i], &ns[i]}
	}
	return counts
}

// Add adds another run's figures.
func (v *Coverage) Add(o Coverage) {
	theirs := o.sections()
	for i, s := range v.sections() {
		for j, c := range s.counts {
			*c.n += *theirs[i].counts[j].n
		}
	}
	for r := range v.Cells {
		for k := range v.Cells[r] {
			v.Cells[r][k] += o.Cells[r][k]
		}
	}
	v.MaxIndex = max(v.MaxIndex, o.MaxIndex)
}

// unlikely tells why a member in the role never takes a message of the kind, or only by a
// rare chance, or "".
func unlikely(r replica.Role, k protocol.MessageKind) string {
	if r == replica.PreCandidate || r == replica.Candidate || r == replica.Leader {
		if k == protocol.KindRepairResponse {
			return "a member that is to be repaired does not lead, and tries to for moments only"
		}
	}
	if r != replica.Learner {
		return ""
	}
	switch k {
	case protocol.KindPreVoteRequest, protocol.KindVoteRequest:
		return "candidates ask voters only"
	case protocol.KindPreVoteResponse, protocol.KindVoteResponse:
		return "a learner does not campaign"
	case protocol.KindAppendResponse, protocol.KindSnapshotResponse, protocol.KindReadRequest, protocol.KindForward:
		return "a learner does not lead"
	case protocol.KindTimeoutNow:
		return "leaders hand over to voters only"
	}
	return ""
}

// Missing names what was never reached though every large simulation must reach it.
func (v *Coverage) Missing() []string {
	var missing []string
	for _, s := range v.sections() {
		for _, c := range s.counts {
			if *c.n == 0 {
				missing = append(missing, s.name+": "+c.name)
			}
		}
	}
	for r := range v.Cells {
		for _, k := range protocol.MessageKinds() {
			role := replica.Role(r)
			if v.Cells[r][k] == 0 && unlikely(role, k) == "" {
				missing = append(missing, fmt.Sprintf("%v takes %v", role, k))
			}
		}
	}
	return missing
}

// String gives tables.
func (v *Coverage) String() string {
	var b strings.Builder
	for _, s := range v.sections() {
		fmt.Fprintf(&b, "%s\n", s.name)
		for _, c := range s.counts {
			fmt.Fprintf(&b, "  %-28s %12d\n", c.name, *c.n)
		}
	}
	fmt.Fprintf(&b, "  %-28s %12d\n", "highest index", v.MaxIndex)
	fmt.Fprintf(&b, "%-20s", "messages taken by")
	for r := range v.Cells {
		fmt.Fprintf(&b, " %13v", replica.Role(r))
	}
	for _, k := range protocol.MessageKinds() {
		fmt.Fprintf(&b, "\n  %-18s", k)
		for r := range v.Cells {
			if v.Cells[r][k] == 0 && unlikely(replica.Role(r), k) != "" {
				fmt.Fprintf(&b, " %13s", "-")
			} else {
				fmt.Fprintf(&b, " %13d", v.Cells[r][k])
			}
		}
	}
	return b.String() + "\n"
}

// changeAnswers is how many answers there are to a change: that it was taken, and the reasons
// why not.
const changeAnswers = int(replica.ChangeInvalid) + 1

func changeNames() []string {
	names := []string{"taken"}
	for r := replica.ChangeReason(1); int(r) < changeAnswers; r++ {
		names = append(names, r.String())
	}
	return names
}

// The ways from one committed configuration to the next.
const (
	learnerAdded = iota
	learnerPromoted
	voterDemoted
	voterRemoved
	learnerRemoved
	memberMoved
	volumeRecorded
	jointEntered
	jointLeft

	transitions
)

var transitionNames = [transitions]string{
	"learner added", "learner promoted", "voter demoted", "voter removed", "learner removed",
	"address changed", "volume recorded", "joint entered", "joint left",
}

// transition counts what a committed configuration changes.
func (v *Coverage) transition(before, after protocol.Membership) {
	switch {
	case len(after.Outgoing) > 0:
		v.Transitions[jointEntered]++
	case len(before.Outgoing) > 0:
		v.Transitions[jointLeft]++
	}
	for _, x := range after.Members {
		switch was, known := before.Find(x.ID); {
		case !known:
			v.Transitions[learnerAdded]++
		case was.Address != x.Address:
			v.Transitions[memberMoved]++
		case was.Incarnation != x.Incarnation:
			v.Transitions[volumeRecorded]++
		case was.Suffrage == protocol.Learner && x.Suffrage == protocol.Voter:
			v.Transitions[learnerPromoted]++
		case was.Suffrage == protocol.Voter && x.Suffrage == protocol.Learner:
			v.Transitions[voterDemoted]++
		}
	}
	for _, x := range before.Members {
		if _, still := after.Find(x.ID); still {
			continue
		}
		if x.Suffrage == protocol.Learner {
			v.Transitions[learnerRemoved]++
		} else {
			v.Transitions[voterRemoved]++
		}
	}
}
