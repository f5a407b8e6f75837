package apitest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// assetsEnv names the directory that holds etcd, kube-apiserver and kubectl.
const assetsEnv = "KUBEBUILDER_ASSETS"

// Main is the body of TestMain of a package whose tests need an API server: it starts
// one, gives its configuration to set, runs the tests and stops it.
func Main(m *testing.M, set func(*rest.Config)) {
	os.Exit(run(m, set))
}

func run(m *testing.M, set func(*rest.Config)) int {
	dir, err := assets()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory: dir,
		CRDDirectoryPaths:     []string{filepath.Join(root(), "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	// A list shows what was written before it, with or without this cache. With it, the list waits
	// for etcd's word on how far the cache is, which the API server asks for ten times a second;
	// tests that list after each write would do little else.
	env.ControlPlane.GetAPIServer().Configure().Set("watch-cache", "false")
	config, err := env.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start a real API server from", dir+":", err)
		return 1
	}
	defer func() {
		if err := env.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
		}
	}()
	config.QPS = -1 // the tests' own pace
	set(config)
	return m.Run()
}

// assets finds the binaries: where KUBEBUILDER_ASSETS says, or else where the
// devcluster keeps them.
func assets() (string, error) {
	dir := os.Getenv(assetsEnv)
	if dir == "" {
		cache := os.Getenv("QUORATE_CACHE")
		if cache == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", fmt.Errorf("find the cache directory: %w", err)
			}
			cache = filepath.Join(home, ".cache", "quorate")
		}
		dir = filepath.Join(cache, "devcluster", "bin")
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("these tests need a real API server, and %s is not there: run make envtest-assets, or set %s", filepath.Join(dir, name), assetsEnv)
		}
	}
	return dir, nil
}

// root is the directory of the repository.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	if filepath.IsAbs(file) {
		return filepath.Join(filepath.Dir(file), "..", "..")
	}
	// Built with -trimpath: the test runs in its package's directory, somewhere below.
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	return "."
}

// Namespace makes a namespace for one test and gives its name. It takes only pods that
// meet Pod Security "restricted".
func Namespace(t *testing.T, config *rest.Config) string {
	t.Helper()
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := c.CoreV1().Namespaces().Create(context.Background(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "test-",
			Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	return ns.Name
}
