package raftcluster

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quorate/quorate/node/nodeapi"
)

// commitIndex of every group; a learner has nothing before it has caught up.
const commitIndex = 100_000

// group is what the members of one Raft group agree on: who they are. It changes at once, but
// for a joint configuration, which lasts until the next step of the world.
type group struct {
	nodeapi.Membership
	volumes map[uint64]types.UID // claims of its members, which must not go while they have a vote
	fed     map[uint64]int       // by learner, the steps that it was fed for
}

// foundGroup begins a group with the founders that the arguments name.
func (w *world) foundGroup(n *node) *group {
	g := w.groups[n.status.ClusterID]
	if g != nil {
		return g
	}
	g = &group{volumes: map[uint64]types.UID{}, fed: map[uint64]int{}}
	g.Committed = true
	for _, id := range n.founders {
		g.Members = append(g.Members, nodeapi.MemberInfo{ID: id, Suffrage: nodeapi.SuffrageVoter})
		g.Highest = max(g.Highest, id)
	}
	w.groups[n.status.ClusterID] = g
	return g
}

// info is what the group says of a member; nil: it is none.
func (g *group) info(id uint64) *nodeapi.MemberInfo {
	if g != nil {
		for i := range g.Members {
			if g.Members[i].ID == id {
				return &g.Members[i]
			}
		}
	}
	return nil
}

// takesPart tells whether a node is a member of its group, on the volume that it joined with.
func (w *world) takesPart(n *node) bool {
	if len(n.founders) > 0 {
		return n.volume.founded && w.groups[n.status.ClusterID].info(n.id) != nil
	}
	info := w.groups[n.status.ClusterID].info(n.id)
	return info != nil && info.Incarnation == n.volume.incarnation
}

func (w *world) votes(n *node) bool {
	info := w.groups[n.status.ClusterID].info(n.id)
	return info != nil && info.Suffrage != nodeapi.SuffrageLearner
}

// caughtUp tells whether a member has everything.
func (w *world) caughtUp(n *node) bool {
	return w.votes(n) || w.groups[n.status.ClusterID].fed[n.id] >= w.feed
}

// stepGroup ends joint configurations and feeds learners.
func (w *world) stepGroup() {
	for _, g := range w.groups {
		g.Joint = false
		g.Members = slices.DeleteFunc(g.Members, func(m nodeapi.MemberInfo) bool { return m.Suffrage == nodeapi.SuffrageLeaving })
	}
	for name, n := range w.nodes {
		if w.acting(name) && w.leader != "" {
			w.groups[n.status.ClusterID].fed[n.id]++
		}
	}
}

// watchVolumes checks what must never be: that the volume of a voter is deleted.
func (w *world) watchVolumes(claims []corev1.PersistentVolumeClaim) {
	there := map[types.UID]bool{}
	for i := range claims {
		if claims[i].DeletionTimestamp == nil {
			there[claims[i].UID] = true
		}
	}
	for _, g := range w.groups {
		for i := range g.Members {
			m := &g.Members[i]
			if uid, ok := g.volumes[m.ID]; ok && m.Suffrage != nodeapi.SuffrageLearner && !there[uid] && !w.mayLose[m.ID] {
				w.t.Errorf("the volume of member %d was deleted while it has a vote", m.ID)
				w.mayLose[m.ID] = true
			}
		}
	}
}

// changeMembers is nodeapi.MemberChange, to the letter as far as the operator can tell.
func (w *world) changeMembers(out http.ResponseWriter, r *http.Request, pod string, n *node) {
	var c nodeapi.MemberChange
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	if reason := w.refuses(c, pod, n); reason != "" {
		out.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(out).Encode(nodeapi.Refusal{Reason: reason, Message: "by the model"})
		return
	}
	g := w.groups[n.status.ClusterID]
	if x := c.Add; x != nil && g.info(x.ID) == nil {
		x.Suffrage = nodeapi.SuffrageLearner
		g.Members = append(g.Members, *x)
		g.Highest = max(g.Highest, x.ID)
		delete(g.fed, x.ID)
	}
	if x := g.info(c.Promote); x != nil {
		x.Suffrage = nodeapi.SuffrageVoter
	}
	if x := g.info(c.Remove); x != nil {
		if c.Promote != 0 {
			x.Suffrage, g.Joint = nodeapi.SuffrageLeaving, true
		} else {
			g.Members = slices.DeleteFunc(g.Members, func(m nodeapi.MemberInfo) bool { return m.ID == c.Remove })
		}
	}
	slices.SortFunc(g.Members, func(a, b nodeapi.MemberInfo) int { return cmp.Compare(a.ID, b.ID) })
	g.Index++
	w.changes = append(w.changes, tellMemberChange(c))
	_ = json.NewEncoder(out).Encode(g.Membership)
}

func tellMemberChange(c nodeapi.MemberChange) string {
	var words []string
	if c.Add != nil {
		words = append(words, "add "+strconv.FormatUint(c.Add.ID, 10))
	}
	if c.Promote != 0 {
		words = append(words, "promote "+strconv.FormatUint(c.Promote, 10))
	}
	if c.Remove != 0 {
		words = append(words, "remove "+strconv.FormatUint(c.Remove, 10))
	}
	return strings.Join(words, " ")
}

// refuses gives the reason of a refusal, empty for none.
func (w *world) refuses(c nodeapi.MemberChange, pod string, n *node) nodeapi.RefusalReason {
	g := w.groups[n.status.ClusterID]
	switch {
	case w.leader != pod || c.Leader != n.id || c.ClusterID != n.status.ClusterID:
		return nodeapi.RefusedNotLeader
	case g.Joint || w.refuse > 0:
		w.refuse--
		return nodeapi.RefusedChangeInFlight
	case c.Add != nil && g.info(c.Add.ID) == nil && c.Add.ID <= g.Highest:
		return nodeapi.RefusedInvalid
	case c.Add != nil && (c.Add.Incarnation == "" || c.Add.Peer == "" || c.Add.Client == "" || c.Add.Name == ""):
		return nodeapi.RefusedInvalid
	case c.Promote != 0 && g.info(c.Promote) == nil:
		return nodeapi.RefusedInvalid
	case c.Promote != 0 && g.info(c.Promote).Suffrage == nodeapi.SuffrageLearner && g.fed[c.Promote] < w.feed:
		return nodeapi.RefusedLearnerNotCaughtUp
	}
	voters, acting := 0, 0
	for i := range g.Members {
		m := &g.Members[i]
		if m.ID == c.Remove || m.Suffrage == nodeapi.SuffrageLearner && m.ID != c.Promote {
			continue
		}
		voters++
		for name, x := range w.nodes {
			if x != nil && x.id == m.ID && w.acting(name) {
				acting++
			}
		}
	}
	if acting < voters/2+1 {
		return nodeapi.RefusedWouldLoseQuorum
	}
	return ""
}

// memberIDs are the IDs of the group's voters, for tests.
func (w *world) memberIDs(clusterID string) (voters []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.groups[clusterID].Members {
		if m.Suffrage == nodeapi.SuffrageVoter {
			voters = append(voters, m.ID)
		}
	}
	return voters
}
