package observetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/node/nodeapi"
)

// Epoch is the moment of every picture.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// picture is an Observed that is read from lines.
type picture struct {
	*observe.Observed
	raft nodeapi.Membership         // of every leader
	has  map[int64]nodeapi.Suffrage // what it says of members; empty: not in there
}

// Read reads a picture, a line for each thing in it:
//
//	cluster [replicas=N] [founded=N] [bootstrapped] [paused] [hibernated] [deleting] [size=Q] [class=NAME]
//	        [restarts=N] [lost] [replacements=MOST] [replaced=COUNT] [highest=ID] [when-removed=Retain]
//	        [min-ready=SECONDS] [canary=ID] [leaderless=SECONDS]
//	change KIND STEP [joining=ID] [leaving=ID] [reason=WORD] [for-long]
//	raft [joint] [highest=ID] [uncommitted] [voter=ID] [learner=ID]
//	member ID ROLE [key=value…] [flag…]
//	claim NAME [id=ID] [founded=INCARNATION] [founders=N] [members=ID,…] [removed] [owner=UID] [phase=P] [on=NODE] [terminating]
//	      [asks=SIZE] [has=SIZE] [class=NAME] [resize-failed=TEXT] [node-resize-failed=TEXT] [infeasible] [file-system-pending] [unlabelled]
//	set NAME [id=ID] [founders=N] [uid=UID] [orphan]
//	secret NAME [member=ID] [terminating]
//	class NAME [expands] [unreadable]
//	node NAME [gone] [not-ready=SECONDS]
//
// where ROLE is a role of nodeapi in small letters, or waits (for its founding), silent
// (does not answer), none (no pod) or missing (no StatefulSet either). A member is well,
// founded on incarnation "iN" and up to date, but for what the words after it say. The
// leader's configuration has the members as they are given; the word raft=learner,
// raft=leaving or raft=none after a member says how it has that one.
func Read(lines string) (*observe.Observed, error) {
	p := newPicture()
	for line := range strings.Lines(lines) {
		if err := p.read(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	p.finish()
	return p.Observed, nil
}

func newPicture() *picture {
	restarts, replacements := int32(3), int32(3)
	c := &v1alpha1.RaftCluster{ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: "ns"}}
	c.Spec.Replicas = 3
	c.Spec.Storage.Size = resource.MustParse("1Gi")
	c.Spec.Recovery.MaxRestarts = &restarts
	c.Spec.Recovery.Backoff.Initial.Duration = 10 * time.Second
	c.Spec.Recovery.Backoff.Max.Duration = 30 * time.Second
	c.Spec.Recovery.MaxReplacements = &replacements
	c.Spec.Recovery.NodeLostAfter.Duration = 15 * time.Minute
	return &picture{Observed: &observe.Observed{
		Now: Epoch, Cluster: c, Nodes: map[string]*corev1.Node{},
		Claims: map[string]*corev1.PersistentVolumeClaim{}, Strays: map[string]*appsv1.StatefulSet{},
		Orphans: map[string]*appsv1.StatefulSet{}, Classes: map[string]*storagev1.StorageClass{},
		Secrets: map[string]*corev1.Secret{},
	}, raft: nodeapi.Membership{Index: 50, Committed: true}, has: map[int64]nodeapi.Suffrage{}}
}

func (p *picture) read(words []string) error {
	switch {
	case len(words) == 0:
		return nil
	case words[0] == "cluster":
		return p.readCluster(words[1:])
	case words[0] == "member" && len(words) > 2:
		return p.readMember(words[1], words[2], words[3:])
	case words[0] == "claim" && len(words) > 1:
		return p.readClaim(words[1], words[2:])
	case words[0] == "set" && len(words) > 1:
		return p.readSet(words[1], words[2:])
	case words[0] == "secret" && len(words) > 1:
		return p.readSecret(words[1], words[2:])
	case words[0] == "class" && len(words) > 1:
		return p.readClass(words[1], words[2:])
	case words[0] == "node" && len(words) > 1:
		return p.readNode(words[1], words[2:])
	case words[0] == "change" && len(words) > 2:
		return p.readChange(words[1], words[2], words[3:])
	case words[0] == "raft":
		return p.readRaft(words[1:])
	}
	return errors.New("unknown line")
}

func (p *picture) readCluster(words []string) error {
	c := p.Cluster
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "bootstrapped":
			c.Status.Bootstrapped = true
		case "lost":
			c.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionDataLossPossible, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonQuorumOfVolumesLost, Message: "once",
			}}
		case "paused":
			c.Spec.Paused = true
		case "hibernated":
			c.Spec.Hibernated = true
		case "deleting":
			c.DeletionTimestamp = &metav1.Time{Time: Epoch}
		case "class":
			c.Spec.Storage.StorageClassName = &value
		case "size":
			c.Spec.Storage.Size = resource.MustParse(value)
		case "when-removed":
			c.Spec.Storage.WhenRemoved = v1alpha1.WhenRemoved(value)
		default:
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return fmt.Errorf("unknown word %q", w)
			}
			if err := p.readCount(key, int32(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *picture) readCount(key string, n int32) error {
	c := p.Cluster
	switch key {
	case "replicas":
		c.Spec.Replicas = n
	case "founded":
		c.Status.FoundingReplicas, c.Status.ClusterID = n, "abc"
	case "restarts":
		c.Spec.Recovery.MaxRestarts = &n
	case "replacements":
		c.Spec.Recovery.MaxReplacements = &n
	case "replaced":
		c.Status.Replacements = &v1alpha1.Replacements{Count: n, LastAt: metav1.NewTime(Epoch)}
	case "highest":
		c.Status.HighestMemberID = int64(n)
	default:
		return p.readRollout(key, n)
	}
	return nil
}
