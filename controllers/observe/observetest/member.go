package observetest

import (
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
	"github.com/quorate/quorate/controllers/nodeclient"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/node/nodeapi"
)

// readMember makes a member that is well, founded on incarnation "iN" and up to date,
// and then changes what the words say.
func (p *picture) readMember(number, role string, words []string) error {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return err
	}
	m := observe.Member{ID: id, Name: p.Cluster.MemberName(id)}
	m.Latched = v1alpha1.MemberStatus{ID: id, Name: m.Name, Incarnation: "i" + number}
	m.Set = &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{UID: types.UID("s" + number), Annotations: map[string]string{v1alpha1.AnnotationTemplateHash: "new"}}}
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
	case "learner":
		m.Status.Role = nodeapi.RoleLearner
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
	p.has[id] = nodeapi.SuffrageVoter
	for _, w := range words {
		switch {
		case w == "for-long": // is as ready, or not, as it is
			since = Epoch.Add(-time.Hour)
			continue
		case strings.HasPrefix(w, "for="): // seconds
			n, err := strconv.Atoi(strings.TrimPrefix(w, "for="))
			if err != nil {
				return err
			}
			since = Epoch.Add(-time.Duration(n) * time.Second)
			continue
		case strings.HasPrefix(w, "raft="):
			if err := p.readSuffrage(id, strings.TrimPrefix(w, "raft=")); err != nil {
				return err
			}
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
		for i := range m.Pod.Status.Conditions {
			m.Pod.Status.Conditions[i].LastTransitionTime = metav1.NewTime(since)
		}
		m.Pod.Status.Conditions = append(m.Pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(since)})
	}
	p.Members = append(p.Members, m)
	return nil
}

// remedies of the kinds of faults that tests use.
var remedies = map[string]string{
	"LogCorrupt": "RepairFromPeers", "DiskFull": "FreeSpace", "ConfigInvalid": "Operator", "FsyncFailed": "Restart",
	"MetaCorrupt": "ReplaceMember", "TLSInvalid": "Operator",
	observe.FaultVolumeLost: observe.RemedyReplaceMember,
}

// changeMember does what a word says of the member; changeObjects, what it says of its objects.
func changeMember(m *observe.Member, word string, ready *bool) error {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "ready":
		*ready = true
	case "unready":
		*ready = false
	case "slot":
		m.Latched.Incarnation = value
	case "incarnation":
		m.Status.Incarnation = value
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
		m.Latched.Fault = &v1alpha1.MemberFault{Kind: value, Remedy: remedies[value], Message: "earlier", Fenced: true}
	case "lived-with": // a fault, by status
		m.Latched.Fault = &v1alpha1.MemberFault{Kind: value, Remedy: remedies[value], Message: "earlier"}
	case "ill-for": // seconds, by status
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		m.Latched.Fault = &v1alpha1.MemberFault{Kind: "Any", Since: metav1.NewTime(Epoch.Add(-time.Duration(n) * time.Second))}
	case "impostor": // another member answers in its place
		m.Status, m.Err = nil, &nodeclient.ImpostorError{Target: nodeclient.Target{Host: "demo-" + value, ClusterID: "abc", MemberID: 2}, ClusterID: "xyz", MemberID: 7}
	case "ahead": // the clock of its host, by an hour
		m.Status.Health.At = Epoch.Add(time.Hour)
	case "behind": // or behind=LAST, of the leader's 100000 entries
		m.Status.LastIndex = 1
		if value != "" {
			last, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return err
			}
			m.Status.LastIndex = last
		}
	case "fault":
		m.Status.Health = &nodeapi.Health{Fault: value, Remedy: remedies[value], Message: "told"}
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
		return changeObjects(m, key, value)
	}
	return nil
}

func changeObjects(m *observe.Member, key, value string) error {
	switch key {
	case "terminating":
		m.Pod.DeletionTimestamp = &metav1.Time{Time: Epoch}
	case "terminating-set":
		m.Set.DeletionTimestamp = &metav1.Time{Time: Epoch}
	case "out-of-memory": // that is how the container ended
		m.Pod.Status.ContainerStatuses[0].LastTerminationState.Terminated.Reason = "OOMKilled"
	case "unscheduled": // no node takes the pod
		m.Pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available",
		}}
	case "no-set", "unowned": // its StatefulSet is gone, or an orphan; its pod is there
		m.Set = nil
	case "old": // outdated: the StatefulSet and the pod
		if m.Set != nil {
			m.Set.Annotations[v1alpha1.AnnotationTemplateHash] = "old"
		}
		m.Pod.Annotations[v1alpha1.AnnotationTemplateHash] = "old"
	case "old-pod":
		m.Pod.Annotations[v1alpha1.AnnotationTemplateHash] = "old"
	case "node": // that the pod runs on
		m.Pod.Spec.NodeName = value
	case "stopped": // its StatefulSet makes no pod
		none := int32(0)
		m.Set.Spec.Replicas = &none
	case "unseen": // Kubernetes has not seen the StatefulSet's last change
		m.Set.Generation, m.Set.Status.ObservedGeneration = 2, 1
	case "stray": // a pod of its name is none of its own
		m.Pod, m.Status, m.Stray = nil, nil, "pod lacks a label"
	case "waiting": // a reason of the kubelet
		m.Pod.Spec.Containers = []corev1.Container{{Image: "node:2"}}
		m.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: value, Message: "by kubelet"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "boom"}},
			RestartCount:         5,
		}}
	case "asked-class": // by its claim template
		m.Set.Spec.VolumeClaimTemplates[0].Spec.StorageClassName = &value
	case "asked-size":
		m.Set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(value)}
	default:
		return changeRunning(m, key, value)
	}
	return nil
}
