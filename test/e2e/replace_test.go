//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/api/v1alpha1"
)

// A member loses all that was on its volume: another one with a new ID takes its place.
func TestWipedVolumeIsReplaced(t *testing.T) {
	c := newCluster(namespace(t), "wiped")
	apply(t, c)
	a := begin(t, c, "replacement")
	victim := follower(t, c)
	a.damage(c, victim, "volume wiped", func(volume string) { wipe(t, volume) })
	awaitStep(t, c, v1alpha1.StepAdding)
	a.killOperator()
	awaitReplacement(t, c, victim)
	a.end(smooth)
}

// Both slots of a member's vote rot: no restart is tried, because none can help.
func TestLostVoteIsReplaced(t *testing.T) {
	c := newCluster(namespace(t), "vote")
	apply(t, c)
	a := begin(t, c, "replacement")
	victim := follower(t, c)
	a.damage(c, victim, "both votes damaged", func(volume string) {
		for _, slot := range []int64{32 << 10, 36 << 10} { // see raftcore/storage/filelog
			flip(t, filepath.Join(volume, "meta"), slot+16)
		}
	})
	awaitReplacement(t, c, victim)
	a.end(smooth)
}

// A log that cannot be read is replaced when the restarts that are allowed did not help,
// also when the leader dies meanwhile.
func TestUnreadableLogIsReplaced(t *testing.T) {
	c := newCluster(namespace(t), "log")
	one := int32(1)
	c.Spec.Recovery.MaxRestarts = &one
	c.Spec.Recovery.Backoff.Initial = metav1.Duration{Duration: time.Second}
	apply(t, c)
	a := begin(t, c, "replacement")
	victim := follower(t, c)
	a.guard.lose(func(s *sighting) bool { return s.member == idString(victim) })
	a.faults = append(a.faults, "log unreadable")
	damageLog(t, c, victim)
	awaitStep(t, c, v1alpha1.StepAdding)
	a.killLeader(c)
	awaitReplacement(t, c, victim)
	a.end(0)
}

// damage spoils a member's volume and kills its process, so that it finds out.
func (a *act) damage(c *v1alpha1.RaftCluster, id int64, fault string, spoil func(volume string)) {
	a.t.Helper()
	volume := volumePath(a.t, c, id)
	a.faults = append(a.faults, fault)
	a.guard.lose(func(s *sighting) bool { return s.member == idString(id) })
	spoil(volume)
	killNode(a.t, volume)
}

// wipe removes all that is in the directory.
func wipe(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		must(t, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
}

// awaitReplacement waits until another member stands in for the victim, of which nothing
// is left.
func awaitReplacement(t *testing.T, c *v1alpha1.RaftCluster, victim int64) {
	t.Helper()
	cluster, start := c.Status.ClusterID, time.Now()
	await(t, 180*time.Second, func(ctx context.Context) (string, error) {
		if err := refresh(ctx, c); err != nil {
			return "", err
		}
		if c.Status.Member(victim) != nil || c.Status.Change != nil {
			return fmt.Sprintf("member %d is still one, the change is %+v; %s", victim, c.Status.Change, progressOf(t, c)), nil
		}
		return "", nil
	})
	awaitStable(t, c, 60*time.Second)
	t.Logf("member %d is replaced after %.1f s", victim, time.Since(start).Seconds())
	if c.Status.ClusterID != cluster {
		t.Errorf("the cluster is %s now, it was %s", c.Status.ClusterID, cluster)
	}
	if n := int64(c.Spec.Replicas) + 1; c.Status.Member(n) == nil || c.Status.HighestMemberID != n {
		t.Errorf("the members are %+v and the highest ID is %d, want a new one with the ID %d", c.Status.Members, c.Status.HighestMemberID, n)
	}
	if r := c.Status.Replacements; r == nil || r.Count != 1 {
		t.Errorf("the replacements are %+v, want one", r)
	}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: c.Namespace, Name: name} }
	if exists(t, &appsv1.StatefulSet{ObjectMeta: meta(c.MemberName(victim))}) {
		t.Errorf("the StatefulSet of member %d is still there", victim)
	}
	await(t, 60*time.Second, func(context.Context) (string, error) {
		if exists(t, &corev1.PersistentVolumeClaim{ObjectMeta: meta(c.ClaimName(victim))}) {
			return "the claim of the replaced member is still there", nil
		}
		return "", nil
	})
}
