//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

const (
	release         = "quorate"
	systemNamespace = "quorate-system"
	clusterLabel    = "quorate.dev/cluster"
	memberLabel     = "quorate.dev/member"
)

// The cluster under test, set by TestMain.
var (
	kube    client.WithWatch
	restCfg *rest.Config
)

func TestMain(m *testing.M) {
	if err := setUp(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := reportActs(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// setUp connects, and installs the chart as a user does.
func setUp() error {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return fmt.Errorf("KUBECONFIG is not set: run \"make e2e\", or point it at a cluster that has the images")
	}
	var err error
	if restCfg, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
		return err
	}
	restCfg.QPS, restCfg.Burst = 100, 200
	utilruntime.ErrorHandlers = nil //nolint:reassign // the hook that the package offers; port-forwards break on purpose here
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	if kube, err = client.NewWithWatch(restCfg, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	start := time.Now()
	args := []string{"upgrade", "--install", release, filepath.Join("..", "..", "charts", "quorate"), "--namespace", systemNamespace, "--create-namespace", "--wait", "--timeout", "120s"}
	for variable, values := range map[string][]string{
		"VERSION":             {"image.tag", "nodeImage.tag"},
		"OPERATOR_REPOSITORY": {"image.repository"},
		"NODE_REPOSITORY":     {"nodeImage.repository"},
	} {
		if v := os.Getenv(variable); v != "" {
			for _, key := range values {
				args = append(args, "--set", key+"="+v)
			}
		}
	}
	out, err := exec.Command("helm", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("helm %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	fmt.Printf("installed by Helm in %.1f s\n", time.Since(start).Seconds())
	return nil
}

// namespace makes a namespace for the test and removes it when the test has passed.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	must(t, kube.Create(t.Context(), ns))
	t.Cleanup(func() {
		if t.Failed() {
			explain(t, ns.Name)
			return
		}
		must(t, client.IgnoreNotFound(kube.Delete(context.Background(), ns)))
	})
	return ns.Name
}

// newCluster gives a RaftCluster of three members with timings for a test.
func newCluster(ns, name string) *v1alpha1.RaftCluster {
	c := &v1alpha1.RaftCluster{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
	c.Spec.Replicas = 3
	c.Spec.Storage.Size = quantity("1Gi")
	return c
}

// apply creates the cluster and waits until it is Available; it tells how long that
// took.
func apply(t *testing.T, c *v1alpha1.RaftCluster) {
	t.Helper()
	start := time.Now()
	must(t, kube.Create(t.Context(), c))
	awaitCondition(t, c, "Available", metav1.ConditionTrue, "", 120*time.Second)
	t.Logf("%s/%s is Available after %.1f s", c.Namespace, c.Name, time.Since(start).Seconds())
}

// awaitCondition waits until the condition has the status and, unless it is empty,
// the reason.
func awaitCondition(t *testing.T, c *v1alpha1.RaftCluster, kind string, status metav1.ConditionStatus, reason string, bound time.Duration) *metav1.Condition {
	t.Helper()
	var seen *metav1.Condition
	await(t, bound, func(ctx context.Context) (string, error) {
		if err := kube.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return "", err
		}
		seen = meta.FindStatusCondition(c.Status.Conditions, kind)
		if seen == nil || seen.Status != status || reason != "" && seen.Reason != reason {
			return fmt.Sprintf("condition %s is %+v, want %s %s", kind, seen, status, reason), nil
		}
		return "", nil
	})
	return seen
}

// awaitObserved waits until the operator has looked at the spec as it is.
func awaitObserved(t *testing.T, c *v1alpha1.RaftCluster) {
	t.Helper()
	await(t, 30*time.Second, func(ctx context.Context) (string, error) {
		if err := refresh(ctx, c); err != nil {
			return "", err
		}
		if c.Status.ObservedGeneration != c.Generation {
			return fmt.Sprintf("the operator has seen generation %d, want %d", c.Status.ObservedGeneration, c.Generation), nil
		}
		return "", nil
	})
}

// await polls until f gives an empty string; f tells what is still missing.
func await(t *testing.T, bound time.Duration, f func(context.Context) (missing string, err error)) {
	t.Helper()
	awaitIn(t.Context(), t, bound, f)
}

// awaitIn is await with a context of its own: in a Cleanup the test's has ended.
func awaitIn(ctx context.Context, t *testing.T, bound time.Duration, f func(context.Context) (missing string, err error)) {
	t.Helper()
	missing := "never asked"
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, bound, true, func(context.Context) (bool, error) {
		m, err := f(ctx) // not the bounded one, which would make the last answer an error
		if err != nil {
			m = err.Error()
		}
		missing = m
		return m == "", nil
	})
	if err != nil {
		t.Fatalf("after %v: %s", bound, missing)
	}
}

// pods gives the cluster's pods by member number.
func pods(t *testing.T, c *v1alpha1.RaftCluster) map[string]corev1.Pod {
	t.Helper()
	var list corev1.PodList
	must(t, kube.List(t.Context(), &list, client.InNamespace(c.Namespace), client.MatchingLabels{clusterLabel: c.Name}))
	out := map[string]corev1.Pod{}
	for _, p := range list.Items {
		out[p.Labels[memberLabel]] = p
	}
	return out
}

// gone waits until no object of the list's kind carries the cluster's label.
func gone(t *testing.T, c *v1alpha1.RaftCluster, list client.ObjectList, bound time.Duration) {
	t.Helper()
	await(t, bound, func(ctx context.Context) (string, error) {
		if err := kube.List(ctx, list, client.InNamespace(c.Namespace), client.MatchingLabels{clusterLabel: c.Name}); err != nil {
			return "", err
		}
		if n := meta.LenList(list); n > 0 {
			return fmt.Sprintf("%d of %T are still there", n, list), nil
		}
		return "", nil
	})
}

// explain prints what a person would look at after a failure.
func explain(t *testing.T, ns string) {
	for _, args := range [][]string{
		{"get", "raftclusters,statefulsets,pods,pvc,events", "-n", ns, "-o", "wide"},
		{"get", "raftclusters", "-n", ns, "-o", "yaml"},
		{"logs", "-n", ns, "-l", clusterLabel, "--tail=40", "--prefix"},
		{"logs", "-n", systemNamespace, "-l", "app.kubernetes.io/name=quorate", "--tail=60"},
	} {
		out, _ := exec.Command("kubectl", args...).CombinedOutput() //nolint:errcheck // the output says it
		t.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exists reports whether the object is there.
func exists(t *testing.T, o client.Object) bool {
	t.Helper()
	err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o)
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// refresh reads the cluster again.
func refresh(ctx context.Context, c *v1alpha1.RaftCluster) error {
	return kube.Get(ctx, client.ObjectKeyFromObject(c), c)
}

// change updates the cluster's spec, again when somebody else was faster.
func change(t *testing.T, c *v1alpha1.RaftCluster, f func(*v1alpha1.RaftCluster)) {
	t.Helper()
	await(t, 10*time.Second, func(ctx context.Context) (string, error) {
		if err := kube.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return "", err
		}
		f(c)
		return "", kube.Update(ctx, c)
	})
}

func killOperator(t *testing.T) {
	t.Helper()
	must(t, kube.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(systemNamespace),
		client.MatchingLabels{"app.kubernetes.io/name": "quorate"}, client.GracePeriodSeconds(0)))
}
