//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/vfs"
)

// The leader's pod is killed while clients write: writes go on after an election, and
// nothing that was acknowledged is lost.
func TestLeaderKilledUnderLoad(t *testing.T) {
	c := newCluster(namespace(t), "kill")
	apply(t, c)
	l := startLoad(t, c)
	l.awaitWrites(t, 200, 30*time.Second)
	for range 2 {
		leader := awaitLeader(t, c)
		start := time.Now()
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: leader + "-0"}}
		must(t, kube.Delete(t.Context(), &pod, client.GracePeriodSeconds(0)))
		l.awaitWrites(t, 100, 30*time.Second)
		t.Logf("leader %s killed; 100 more writes are acknowledged %.1f s later", leader, time.Since(start).Seconds())
		awaitAllReady(t, c, 60*time.Second)
	}
	l.finish(t)
}

// All pods are deleted at once: everything is back.
func TestAllPodsDeleted(t *testing.T) {
	c := newCluster(namespace(t), "all")
	apply(t, c)
	l := startLoad(t, c)
	l.awaitWrites(t, 200, 30*time.Second)
	before := pods(t, c)
	start := time.Now()
	for _, p := range before {
		must(t, kube.Delete(t.Context(), &p, client.GracePeriodSeconds(0)))
	}
	awaitNewPods(t, c, before)
	awaitAllReady(t, c, 60*time.Second)
	l.awaitWrites(t, 100, 30*time.Second)
	t.Logf("all pods deleted; writes go on %.1f s later", time.Since(start).Seconds())
	l.finish(t)
}

// A record of a member's log rots, and its process is killed before the state is on the disk.
// It gets the record from the other members and is well again, with nobody's help: no
// restart is counted, and the fault is on the volume as one that is over.
func TestDamagedRecordIsRepaired(t *testing.T) {
	c := newCluster(namespace(t), "rot")
	apply(t, c)
	l := startLoad(t, c)
	l.awaitWrites(t, 200, 30*time.Second)

	victim := follower(t, c)
	file, at := recordOfLoad(t, c, victim)
	flip(t, file, at)
	killNode(t, volumePath(t, c, victim))
	await(t, 90*time.Second, func(context.Context) (string, error) {
		told := faultsOnVolume(t, c, victim)
		i := slices.IndexFunc(told, func(r fault.Record) bool { return r.Kind == fault.LogCorrupt })
		if i < 0 || !told[i].Resolved {
			return fmt.Sprintf("the faults on the volume are %+v, want LogCorrupt that is over", told), nil
		}
		if told[i].Unrecoverable {
			return "", fmt.Errorf("the member could not go on: %s", told[i].Message)
		}
		t.Logf("over by %s: %s", told[i].At.Format(time.TimeOnly), told[i].Message)
		if !strings.Contains(told[i].Message, "the other members are asked") {
			return "", fmt.Errorf("the record was not asked for: %s", told[i].Message)
		}
		return "", nil
	})
	awaitCondition(t, c, v1alpha1.ConditionMembersHealthy, metav1.ConditionTrue, "", 60*time.Second)
	awaitAllReady(t, c, 60*time.Second)
	must(t, kube.Get(t.Context(), client.ObjectKeyFromObject(c), c))
	if r := c.Status.Member(victim).Restarts; r != nil && r.Count > 0 {
		t.Errorf("the operator has restarted the member: %+v", r)
	}
	l.awaitWrites(t, 100, 30*time.Second)
	l.finish(t)
}

// faultsOnVolume reads a copy of the faults file on the member's volume.
func faultsOnVolume(t *testing.T, c *v1alpha1.RaftCluster, id int64) []fault.Record {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(volumePath(t, c, id), "faults"))
	must(t, err)
	name := filepath.Join(t.TempDir(), "faults")
	must(t, os.WriteFile(name, b, 0o600))
	s := fault.Open(vfs.OS{}, name, fault.SinkOptions{})
	defer s.Close()
	return s.List()
}

// A member's log cannot be read any more: the condition names the member and the
// fault, an Event is written, the pod is restarted as often as allowed, the other two
// go on, and the condition clears when the volume is well again.
func TestUnreadableLog(t *testing.T) {
	c := newCluster(namespace(t), "ill")
	two, none := int32(2), int32(0)
	c.Spec.Recovery.MaxRestarts, c.Spec.Recovery.MaxReplacements = &two, &none
	c.Spec.Recovery.Backoff.Initial = metav1.Duration{Duration: 2 * time.Second}
	apply(t, c)
	l := startLoad(t, c)
	l.awaitWrites(t, 200, 30*time.Second)

	victim := follower(t, c)
	mend := damageLog(t, c, victim)
	condition := awaitCondition(t, c, v1alpha1.ConditionMembersHealthy, metav1.ConditionFalse, v1alpha1.ReasonUnrecoverableMember, 60*time.Second)
	for _, w := range []string{c.MemberName(victim), "LogCorrupt"} {
		if !strings.Contains(condition.Message, w) {
			t.Errorf("the condition says %q, want %q in it", condition.Message, w)
		}
	}
	t.Logf("MembersHealthy=False: %s", condition.Message)
	awaitEvent(t, c, v1alpha1.ReasonUnrecoverableMember, c.MemberName(victim))
	await(t, 90*time.Second, func(ctx context.Context) (string, error) {
		if err := kube.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return "", err
		}
		if m := c.Status.Member(victim); m.Restarts == nil || m.Restarts.Count != two {
			return fmt.Sprintf("restarts of %s are %+v, want %d", m.Name, m.Restarts, two), nil
		}
		return "", nil
	})
	awaitCondition(t, c, v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonRestartBudgetExhausted, 60*time.Second)
	l.awaitWrites(t, 100, 30*time.Second)
	if a := awaitCondition(t, c, v1alpha1.ConditionAvailable, metav1.ConditionTrue, "", 10*time.Second); a.Status != metav1.ConditionTrue {
		t.Errorf("Available is %+v", a)
	}

	mend()
	p := pods(t, c)[fmt.Sprint(victim)]
	must(t, kube.Delete(t.Context(), &p))
	awaitCondition(t, c, v1alpha1.ConditionMembersHealthy, metav1.ConditionTrue, "", 90*time.Second)
	awaitAllReady(t, c, 60*time.Second)
	l.finish(t)
}

// damageLog spoils the header of a segment in the member's log on its volume, with the pod
// away, and gives the function that mends it. Without that header nothing in the segment can be
// named, so that no other member can help.
func damageLog(t *testing.T, c *v1alpha1.RaftCluster, id int64) (mend func()) {
	t.Helper()
	const salt = 24 // its place in the header
	file, _ := recordOfLoad(t, c, id)
	flip(t, file, salt)
	p := pods(t, c)[fmt.Sprint(id)]
	must(t, kube.Delete(t.Context(), &p, client.GracePeriodSeconds(0)))
	return func() { flip(t, file, salt) }
}

// follower gives the ID of a member that does not lead.
func follower(t *testing.T, c *v1alpha1.RaftCluster) int64 {
	t.Helper()
	leader := awaitLeader(t, c)
	for _, m := range c.Status.Members {
		if m.Name != leader {
			return m.ID
		}
	}
	t.Fatal("there is no follower")
	return 0
}

// awaitLeader gives the name of the member that leads according to the status.
func awaitLeader(t *testing.T, c *v1alpha1.RaftCluster) string {
	t.Helper()
	await(t, 30*time.Second, func(ctx context.Context) (string, error) {
		if err := kube.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return "", err
		}
		if c.Status.Leader == "" {
			return "the status names no leader", nil
		}
		return "", nil
	})
	return c.Status.Leader
}

// leaderOf gives the ID of the member that leads.
func leaderOf(t *testing.T, c *v1alpha1.RaftCluster) int64 {
	t.Helper()
	leader := awaitLeader(t, c)
	for _, m := range c.Status.Members {
		if m.Name == leader {
			return m.ID
		}
	}
	t.Fatalf("the leader %s is no member", leader)
	return 0
}

func awaitAllReady(t *testing.T, c *v1alpha1.RaftCluster, bound time.Duration) {
	t.Helper()
	await(t, bound, func(ctx context.Context) (string, error) {
		if err := kube.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return "", err
		}
		if want := fmt.Sprintf("%d/%d", c.Spec.Replicas, c.Spec.Replicas); c.Status.Ready != want {
			return fmt.Sprintf("ready is %s, want %s", c.Status.Ready, want), nil
		}
		return "", nil
	})
}

func awaitNewPods(t *testing.T, c *v1alpha1.RaftCluster, before map[string]corev1.Pod) {
	t.Helper()
	await(t, 60*time.Second, func(context.Context) (string, error) {
		now := pods(t, c)
		for id, p := range before {
			if n, ok := now[id]; !ok || n.UID == p.UID {
				return "pod " + p.Name + " is not a new one yet", nil
			}
		}
		return "", nil
	})
}

// awaitEvent waits for an Event about the cluster with the reason and the word.
func awaitEvent(t *testing.T, c *v1alpha1.RaftCluster, reason, word string) {
	t.Helper()
	await(t, 30*time.Second, func(ctx context.Context) (string, error) {
		var list eventsv1.EventList
		if err := kube.List(ctx, &list, client.InNamespace(c.Namespace)); err != nil {
			return "", err
		}
		for _, e := range list.Items {
			if e.Regarding.Name == c.Name && e.Reason == reason && strings.Contains(e.Note, word) {
				return "", nil
			}
		}
		return fmt.Sprintf("no Event %s that names %s among %d", reason, word, len(list.Items)), nil
	})
}
