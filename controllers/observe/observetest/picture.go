package observetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/node/nodeapi"
)

// Epoch is the moment of every picture.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// picture is an Observed that is read from lines.
type picture struct{ *observe.Observed }

// Read reads a picture, a line for each thing in it:
//
//	cluster [replicas=N] [founded=N] [bootstrapped] [paused] [deleting] [size=Q] [restarts=N] [lost]
//	member ID ROLE [key=value…] [flag…]
//	claim NAME [id=ID] [founded=INCARNATION] [owner=UID] [terminating]
//	set NAME [id=ID] [uid=UID]
//
// where ROLE is a role of nodeapi in small letters, or waits (for its founding), silent
// (does not answer), none (no pod) or missing (no StatefulSet either). A member is well,
// founded on incarnation "iN" and up to date, but for what the words after it say.
func Read(lines string) (*observe.Observed, error) {
	p := newPicture()
	for line := range strings.Lines(lines) {
		if err := p.read(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	return p.Observed, nil
}

func newPicture() picture {
	restarts := int32(3)
	c := &v1alpha1.RaftCluster{ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: "ns"}}
	c.Spec.Replicas = 3
	c.Spec.Storage.Size = resource.MustParse("1Gi")
	c.Spec.Recovery.MaxRestarts = &restarts
	c.Spec.Recovery.Backoff.Initial.Duration = 10 * time.Second
	c.Spec.Recovery.Backoff.Max.Duration = 30 * time.Second
	return picture{&observe.Observed{
		Now: Epoch, Cluster: c,
		Claims: map[string]*corev1.PersistentVolumeClaim{}, Strays: map[string]*appsv1.StatefulSet{},
	}}
}

func (p picture) read(words []string) error {
	switch {
	case len(words) == 0:
		return nil
	case words[0] == "cluster":
		return p.readCluster(words[1:])
	case words[0] == "member" && len(words) > 2:
		return p.readMember(words[1], words[2], words[3:])
	case (words[0] == "claim" || words[0] == "set") && len(words) > 1:
		meta := metav1.ObjectMeta{Name: words[1], Annotations: map[string]string{}}
		for _, w := range words[2:] {
			switch key, value, _ := strings.Cut(w, "="); key {
			case "id":
				meta.Annotations[v1alpha1.AnnotationClusterID] = value
			case "founded":
				meta.Annotations[v1alpha1.AnnotationFounded] = value
			case "uid":
				meta.UID = types.UID(value)
			case "owner": // UID of a StatefulSet
				meta.OwnerReferences = []metav1.OwnerReference{{Kind: "StatefulSet", Name: "any", UID: types.UID(value)}}
			case "terminating":
				meta.DeletionTimestamp = &metav1.Time{Time: Epoch}
			default:
				return fmt.Errorf("unknown word %q", w)
			}
		}
		if words[0] == "set" {
			p.Strays[meta.Name] = &appsv1.StatefulSet{ObjectMeta: meta}
		} else {
			p.Claims[meta.Name] = &corev1.PersistentVolumeClaim{ObjectMeta: meta}
		}
		return nil
	}
	return errors.New("unknown line")
}

func (p picture) readCluster(words []string) error {
	c := p.Cluster
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "replicas", "founded":
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return err
			}
			if key == "replicas" {
				c.Spec.Replicas = int32(n)
			} else {
				c.Status.Replicas, c.Status.ClusterID = int32(n), "abc"
			}
		case "bootstrapped":
			c.Status.Bootstrapped = true
		case "lost":
			c.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionDataLossPossible, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonQuorumOfVolumesLost, Message: "once",
			}}
		case "paused":
			c.Spec.Paused = true
		case "deleting":
			c.DeletionTimestamp = &metav1.Time{Time: Epoch}
		case "size":
			c.Spec.Storage.Size = resource.MustParse(value)
		case "restarts":
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return err
			}
			most := int32(n)
			c.Spec.Recovery.MaxRestarts = &most
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	return nil
}

// readMember makes a member that is well, founded on incarnation "iN" and up to date,
// and then changes what the words say.
func (p picture) readMember(number, role string, words []string) error {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return err
	}
	m := observe.Member{ID: id, Name: p.Cluster.MemberName(id)}
	m.Latched = v1alpha1.MemberStatus{ID: id, Name: m.Name, Incarnation: "i" + number}
	m.Set = &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationTemplateHash: "new"}}}
	m.Set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{}}
	m.Set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	m.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID("u" + number), Annotations: map[string]string{v1alpha1.AnnotationTemplateHash: "new"}}}
	m.Status = &nodeapi.Status{MemberID: uint64(id), Term: 4, LeaderID: 1, LastIndex: 100_000, CommitIndex: 100_000, Incarnation: "i" + number}
	ready, since := true, Epoch
	switch role {
	case "leader":
		m.Status.Role, m.Status.LeaderID = nodeapi.RoleLeader, uint64(id)
	case "follower":
		m.Status.Role = nodeapi.RoleFollower
	case "fenced":
		m.Status.Role, ready = nodeapi.RoleFenced, false
	case "waits":
		m.Status.Role, m.Status.AwaitsFounding, ready, m.Latched.Incarnation = nodeapi.RoleLearner, true, false, ""
	case "silent":
		m.Status, ready = nil, false
	case "none":
		m.Status, m.Pod = nil, nil
	case "missing":
		m.Status, m.Pod, m.Set, m.Latched.Incarnation = nil, nil, nil, ""
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	for _, w := range words {
		if w == "for-long" { // is as ready, or not, as it is
			since = Epoch.Add(-time.Hour)
			continue
		}
		if err := changeMember(&m, w, &ready); err != nil {
			return err
		}
	}
	if m.Pod != nil {
		status := corev1.ConditionFalse
		if ready {
			status = corev1.ConditionTrue
		}
		m.Pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(since)}}
	}
	p.Members = append(p.Members, m)
	return nil
}

// remedies of the kinds of faults that tests use.
var remedies = map[string]string{
	"LogCorrupt": "RepairFromPeers", "DiskFull": "FreeSpace", "ConfigInvalid": "Operator", "FsyncFailed": "Restart",
	observe.FaultVolumeLost: observe.RemedyReplaceMember,
}

func changeMember(m *observe.Member, word string, ready *bool) error {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "ready":
		*ready = true
	case "unready":
		*ready = false
	case "terminating":
		m.Pod.DeletionTimestamp = &metav1.Time{Time: Epoch}
	case "slot":
		m.Latched.Incarnation = value
	case "incarnation":
		m.Status.Incarnation = value
	case "old": // outdated: the StatefulSet and the pod
		m.Set.Annotations[v1alpha1.AnnotationTemplateHash] = "old"
		m.Pod.Annotations[v1alpha1.AnnotationTemplateHash] = "old"
	case "old-pod":
		m.Pod.Annotations[v1alpha1.AnnotationTemplateHash] = "old"
	case "unseen": // Kubernetes has not seen the StatefulSet's last change
		m.Set.Generation, m.Set.Status.ObservedGeneration = 2, 1
	case "term":
		term, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return err
		}
		m.Status.Term = term
	case "leader":
		leader, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return err
		}
		m.Status.LeaderID = leader
	case "had": // a fault, by status
		m.Latched.Fault = &v1alpha1.MemberFault{Kind: value, Remedy: remedies[value], Message: "earlier"}
	case "behind":
		m.Status.LastIndex = 1
	case "fault":
		m.Status.Health = &nodeapi.Health{Fault: value, Remedy: remedies[value], Message: "told"}
	case "waiting": // a reason of the kubelet
		m.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: value, Message: "by kubelet"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "boom"}},
			RestartCount:         5,
		}}
	case "restarted": // count/seconds until the next/pod
		var count int32
		var next int
		var pod string
		if _, err := fmt.Sscanf(strings.ReplaceAll(value, "/", " "), "%d %d %s", &count, &next, &pod); err != nil {
			return err
		}
		m.Latched.Restarts = &v1alpha1.MemberRestarts{
			Count: count, PodUID: types.UID(pod),
			NextAt: metav1.NewTime(Epoch.Add(time.Duration(next) * time.Second)),
		}
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}
