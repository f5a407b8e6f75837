//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// volumePath gives the directory of the member's volume on this machine.
func volumePath(t *testing.T, c *v1alpha1.RaftCluster, id int64) string {
	t.Helper()
	claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.ClaimName(id)}}
	if !exists(t, &claim) {
		t.Fatalf("claim %s is not there", claim.Name)
	}
	pv := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: claim.Spec.VolumeName}}
	if !exists(t, &pv) || pv.Spec.Local == nil {
		t.Skipf("the volume %s is not a directory of this machine: this test needs the cluster of hack/devcluster", pv.Name)
	}
	if _, err := os.Stat(pv.Spec.Local.Path); err != nil {
		t.Skipf("the volume's directory is not on this machine: %v", err)
	}
	return pv.Spec.Local.Path
}

// killNode kills the process whose data directory is the volume.
func killNode(t *testing.T, volume string) {
	t.Helper()
	want, err := os.Stat(volume)
	must(t, err)
	processes, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	for _, p := range processes {
		data, err := os.Stat(filepath.Join(p, "root", "data"))
		if err != nil || !os.SameFile(data, want) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(p))
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		return
	}
	t.Fatalf("no process of this machine has %s as its data directory", volume)
}

// recordOfLoad finds a byte in an entry of the load in the member's log on its volume.
func recordOfLoad(t *testing.T, c *v1alpha1.RaftCluster, id int64) (file string, at int64) {
	t.Helper()
	dir := filepath.Join(volumePath(t, c, id), "log")
	segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	must(t, err)
	slices.Sort(segments)
	for _, s := range segments {
		b, err := os.ReadFile(s)
		must(t, err)
		if i := bytes.Index(b, []byte("k0")); i > 0 { // a command's key
			return s, int64(i)
		}
	}
	t.Fatalf("no segment of %d under %s holds an entry of the load", len(segments), dir)
	return "", 0
}

func flip(t *testing.T, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	must(t, err)
	b[0] ^= 0xff
	_, err = f.WriteAt(b[:], at)
	must(t, err)
	must(t, f.Sync())
}

// devcluster runs a command of hack/devcluster.sh; see its README.
func devcluster(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command(filepath.Join("..", "..", "hack", "devcluster.sh"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("devcluster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// needDevcluster skips a test that cuts the power of nodes.
func needDevcluster(t *testing.T) {
	t.Helper()
	if os.Getenv("QUORATE_CLUSTER") != "devcluster" {
		t.Skip("this test cuts the power of nodes: it needs the cluster of hack/devcluster")
	}
}

// apiNode is where the devcluster's API server runs.
const apiNode = "node-0"

// dark is the nodes without power.
var dark = map[string]bool{}

// powerOff cuts a node's power, and gives it back when the test ends.
func powerOff(t *testing.T, node string) {
	t.Helper()
	devcluster(t, "node", "down", node)
	dark[node] = true
	t.Cleanup(func() { powerOn(t, node) })
}

// powerOn gives it back and waits until Kubernetes has heard of the node again.
func powerOn(t *testing.T, node string) {
	t.Helper()
	if !dark[node] {
		return
	}
	start := time.Now()
	devcluster(t, "node", "up", node)
	delete(dark, node)
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}
	lease := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: node}}
	awaitIn(context.Background(), t, 90*time.Second, func(ctx context.Context) (string, error) {
		if err := kube.Get(ctx, client.ObjectKeyFromObject(&n), &n); err != nil {
			return "", err
		}
		if err := kube.Get(ctx, client.ObjectKeyFromObject(&lease), &lease); err != nil {
			return "", err
		}
		heard := lease.Spec.RenewTime != nil && lease.Spec.RenewTime.After(start)
		for _, c := range n.Status.Conditions {
			if heard && c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return "", nil
			}
		}
		return node + " is not Ready", nil
	})
}

// nodeOf gives the Kubernetes node of a member's pod.
func nodeOf(t *testing.T, c *v1alpha1.RaftCluster, id int64) string {
	t.Helper()
	return pods(t, c)[idString(id)].Spec.NodeName
}

// movable is a follower whose node may lose its power: no other member is on it, nor is
// the API server.
func movable(t *testing.T, c *v1alpha1.RaftCluster) (id int64, node string) {
	t.Helper()
	leader := awaitLeader(t, c)
	on := map[string][]int64{}
	for _, m := range c.Status.Members {
		n := nodeOf(t, c, m.ID)
		on[n] = append(on[n], m.ID)
	}
	for n, ids := range on {
		if n != apiNode && len(ids) == 1 && c.MemberName(ids[0]) != leader {
			return ids[0], n
		}
	}
	t.Fatalf("no follower is alone on a node other than the API server's: %v", on)
	return 0, ""
}
