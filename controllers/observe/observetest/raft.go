package observetest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/node/nodeapi"
)

func (p *picture) readChange(kind, step string, words []string) error {
	c := &v1alpha1.MembershipChange{Kind: v1alpha1.ChangeKind(kind), Step: v1alpha1.ChangeStep(step), StartedAt: metav1.NewTime(Epoch)}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		id, err := strconv.ParseInt(value, 10, 64)
		switch {
		case key == "joining" && err == nil:
			c.Joining = id
		case key == "leaving" && err == nil:
			c.Leaving = id
		case key == "reason":
			c.Reason = value
		case key == "for-long":
			c.StartedAt = metav1.NewTime(Epoch.Add(-time.Hour))
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	p.Cluster.Status.Change = c
	return nil
}

func (p *picture) readRaft(words []string) error {
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case key == "joint":
			p.raft.Joint = true
		case key == "uncommitted":
			p.raft.Committed = false
		case key == "highest" && err == nil:
			p.raft.Highest = uint64(n) //nolint:gosec // small
		case key == "voter" && err == nil: // that the RaftCluster does not know
			p.has[n] = nodeapi.SuffrageVoter
		case key == "learner" && err == nil: // that the RaftCluster does not know
			p.has[n] = nodeapi.SuffrageLearner
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	return nil
}

func (p *picture) readSuffrage(id int64, word string) error {
	switch word {
	case "learner":
		p.has[id] = nodeapi.SuffrageLearner
	case "leaving":
		p.has[id] = nodeapi.SuffrageLeaving
	case "none":
		p.has[id] = ""
	default:
		return fmt.Errorf("unknown suffrage %q", word)
	}
	return nil
}

// finish gives every leader the configuration, and status what it remembers of members.
func (p *picture) finish() {
	slices.SortFunc(p.Members, func(a, b observe.Member) int { return cmp.Compare(a.ID, b.ID) })
	for id, suffrage := range p.has {
		if suffrage != "" {
			p.raft.Members = append(p.raft.Members, nodeapi.MemberInfo{ID: uint64(id), Name: p.Cluster.MemberName(id), Suffrage: suffrage, Heard: true}) //nolint:gosec // small
			p.raft.Highest = max(p.raft.Highest, uint64(id))                                                                                             //nolint:gosec // small
		}
	}
	slices.SortFunc(p.raft.Members, func(a, b nodeapi.MemberInfo) int { return cmp.Compare(a.ID, b.ID) })
	for i := range p.Members {
		m := &p.Members[i]
		p.Cluster.Status.Members = append(p.Cluster.Status.Members, m.Latched)
		if m.Status != nil && m.Status.Role == nodeapi.RoleLeader {
			m.Status.Membership = &p.raft
		}
	}
	p.Cluster.Status.Replicas = p.Cluster.Status.Staying()
}
