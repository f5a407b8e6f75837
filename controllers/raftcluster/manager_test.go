package raftcluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
)

// operatorUser is bound to the generated role, and to nothing else.
const operatorUser = "quorate-operator-under-test"

// The operator as main runs it: real caches and watches, and no more rights than the
// generated role gives. A life of a cluster needs every one of them.
func TestManagerWithTheRightsOfItsRole(t *testing.T) {
	w := newWorld(t)
	w.boot, w.feed, w.now = 0, 1, time.Now() // its clock stands still, at the time by which the operator signs
	w.placed = true
	role := w.bindRole()
	used := &rights{used: map[string]bool{}}
	stop := w.runManager(used)
	defer stop()

	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = w.class(true) })
	w.wait("stable", stable)
	w.damage("demo-2-0", logCorrupt)
	before := w.podUID("demo-2-0")
	w.wait("restarted", func(*v1alpha1.RaftCluster) bool { return w.podUID("demo-2-0") != before })
	w.damage("demo-2-0", nil)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	c := w.wait("rolled", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == "node:2" })
	w.changeSecret("demo-2-tls", func(s *corev1.Secret) { s.Data["tls.crt"] = []byte("x") })
	w.wait("mended", func(*v1alpha1.RaftCluster) bool { _, ok := readFiles(w.secret("demo-2-tls").Data); return ok })
	w.wantObjects(c, 3)
	if got := c.Status.Member(2).Restarts; got == nil || got.Count != 1 {
		t.Errorf("restarts counted: %+v, want 1", got)
	}
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 4 })
	w.wait("four", settledWith(4))
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 3 })
	c = w.wait("three", settledWith(3))
	w.wantMembers(c, 1, 2, 3)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.Size = resource.MustParse("2Gi") })
	w.wait("expanded", func(c *v1alpha1.RaftCluster) bool {
		return stable(c) && strings.HasPrefix(w.capacities(), "2Gi 2Gi 2Gi")
	})
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.StorageClassName = w.otherClass() })
	c = w.wait("moved", moved(1, 2, 3))
	w.wantMembers(c, 5, 6, 7)
	w.wantClasses(c)
	w.deleteCluster("demo") // the model leads one group at a time
	w.installCertManager()
	w.create("certs", func(c *v1alpha1.RaftCluster) { byCertManager("ours")(c); c.Spec.Replicas = 2 })
	w.waitFor("certs", "signed by cert-manager", settledWith(2))
	w.change("certs", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 1 })
	w.waitFor("certs", "one", settledWith(1))

	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				right := verb + " " + resource
				// An Event is patched when it is repeated within minutes.
				if right != "patch events" && !used.has(right) {
					t.Errorf("the role allows to %s, which nothing needs", right)
				}
			}
		}
	}
}

func (w *world) bindRole() *rbacv1.ClusterRole {
	w.t.Helper()
	b, err := os.ReadFile("../../config/rbac/role.yaml")
	w.must(err)
	role := &rbacv1.ClusterRole{}
	w.must(yaml.UnmarshalStrict(b, role))
	w.must(w.c.Create(w.ctx, role))
	w.must(w.c.Create(w.ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser}},
	}))
	return role
}

func (w *world) runManager(used *rights) (stop func()) {
	w.t.Helper()
	limited := rest.CopyConfig(config)
	limited.Impersonate.UserName = operatorUser
	limited.Wrap(used.wrap)
	scheme, err := Scheme()
	w.must(err)
	mgr, err := ctrl.NewManager(limited, ctrl.Options{
		Scheme: scheme, Cache: Cache(w.ns), Metrics: server.Options{BindAddress: "0"},
	})
	w.must(err)
	w.must(Setup(mgr, objects.Options{DefaultImage: "node:1"}, w.dial))
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	return func() {
		cancel()
		w.must(<-ended)
	}
}

// wait steps the world until the condition holds for the cluster demo.
func (w *world) wait(what string, done func(*v1alpha1.RaftCluster) bool) *v1alpha1.RaftCluster {
	w.t.Helper()
	return w.waitFor("demo", what, done)
}

func (w *world) waitFor(name, what string, done func(*v1alpha1.RaftCluster) bool) *v1alpha1.RaftCluster {
	w.t.Helper()
	var c *v1alpha1.RaftCluster
	err := wait.PollUntilContextTimeout(w.ctx, 50*time.Millisecond, 2*time.Minute, true, func(context.Context) (bool, error) {
		w.step()
		c = w.get(name)
		return done(c), nil
	})
	if err != nil {
		w.t.Fatalf("%s is not %s: %v: %+v", name, what, err, c.Status)
	}
	return c
}

// rights notes which rights a client used.
type rights struct {
	mu   sync.Mutex
	used map[string]bool
}

func (r *rights) has(right string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used[right]
}

func (r *rights) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil && resp.StatusCode != http.StatusForbidden {
			r.note(req, resp.StatusCode)
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// note reads the right from a request: /api/v1/namespaces/NS/pods/NAME, and
// /apis/GROUP/VERSION/things/NAME for what belongs to no namespace.
func (r *rights) note(req *http.Request, code int) {
	parts := strings.Split(strings.TrimPrefix(req.URL.Path, "/"), "/")
	switch i := slices.Index(parts, "namespaces"); {
	case i >= 0:
		parts = parts[min(i+2, len(parts)):]
	case parts[0] == "apis":
		parts = parts[min(3, len(parts)):]
	default:
		parts = parts[min(2, len(parts)):]
	}
	if len(parts) == 0 {
		return
	}
	resource := parts[0]
	if len(parts) == 3 {
		resource += "/" + parts[2]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, verb := range verbs(req, len(parts) > 1, code) {
		r.used[fmt.Sprintf("%s %s", verb, resource)] = true
	}
}

func verbs(req *http.Request, named bool, code int) []string {
	switch req.Method {
	case http.MethodGet:
		switch {
		case req.URL.Query().Get("sendInitialEvents") == "true":
			return []string{"watch", "list"} // in one, where the API server can; else a list comes first
		case req.URL.Query().Get("watch") != "":
			return []string{"watch"}
		case named:
			return []string{"get"}
		}
		return []string{"list"}
	case http.MethodPatch:
		if code == http.StatusCreated {
			return []string{"patch", "create"}
		}
		return []string{"patch"}
	case http.MethodPut:
		return []string{"update"}
	case http.MethodPost:
		return []string{"create"}
	}
	return []string{strings.ToLower(req.Method)}
}
