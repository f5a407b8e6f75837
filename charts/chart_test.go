package charts

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

const (
	crdFolder = "../config/crd/bases"
	roleFile  = "../config/rbac/role.yaml"
	leaseFile = "../config/rbac/leader_election_role.yaml"
)

func TestGolden(t *testing.T) {
	cases := map[string][]string{
		"default.yaml": nil,
		"full.yaml":    {"--values", "testdata/full-values.yaml"},
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			got, complaint, ok := template(t, append(args, "--set", "crds.enabled=false")...)
			if !ok {
				t.Fatal(complaint)
			}
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("not as in %s; if that is meant, run go test ./charts -update (-want +got):\n%s", path, d)
			}
		})
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	cases := []struct{ set, want string }{
		{`replicaCount=two`, "at '/replicaCount': got string, want integer"},
		{`replicaCount=2.5`, "at '/replicaCount': got string, want integer"},
		{`replicaCount=-1`, "at '/replicaCount': minimum"},
		{`replicaCount=2,leaderElection.enabled=false`, "at '/leaderElection/enabled': value must be true"},
		{`image=quorate:1`, "at '/image': got string, want object"},
		{`image.tag=1`, "at '/image/tag': got number, want string"},
		{`image.repository=`, "at '/image/repository': minLength"},
		{`image.pullPolicy=Sometimes`, "at '/image/pullPolicy': value must be one of"},
		{`image.pullSecrets[0]=mine`, "at '/image/pullSecrets/0': got string, want object"},
		{`nodeImage.digest=x`, "at '/nodeImage': additional properties 'digest' not allowed"},
		{`replicas=2`, "at '': additional properties 'replicas' not allowed"},
		{`watchNamespaces=a`, "at '/watchNamespaces': got string, want array"},
		{`watchNamespaces[0]=Not_A_Name`, "at '/watchNamespaces/0'"},
		{`logLevel=loud`, "at '/logLevel': value must be one of"},
		{`crds.enabled=perhaps`, "at '/crds/enabled': got string, want boolean"},
		{`metrics.port=80`, "at '/metrics/port': minimum"},
		{`metrics.port=8081`, "at '/metrics/port'"},
		{`serviceMonitor.interval=often`, "at '/serviceMonitor/interval'"},
		{`serviceMonitor.enabled=true,metrics.enabled=false`, "serviceMonitor.enabled needs metrics.enabled"},
		{`resources.limits.memory=lots`, "at '/resources/limits/memory'"},
		{`tolerations=all`, "at '/tolerations': got string, want array"},
		{`affinity.nodes=x`, "at '/affinity': additional properties 'nodes' not allowed"},
	}
	for _, c := range cases {
		t.Run(c.set, func(t *testing.T) {
			out, complaint, ok := template(t, "--set", c.set)
			if ok {
				t.Fatalf("taken, and rendered %d bytes", len(out))
			}
			if !strings.Contains(complaint, c.want) {
				t.Errorf("Helm says\n%s\nwant %q in it", complaint, c.want)
			}
		})
	}
}

// TestEveryValueIsDocumented wants each value in the chart's README and in its schema.
func TestEveryValueIsDocumented(t *testing.T) {
	readme, err := os.ReadFile("quorate/README.md")
	if err != nil {
		t.Fatal(err)
	}
	schema := one[map[string]any](t, decodeFile(t, "quorate/values.schema.json"), "")["properties"].(map[string]any)
	values := one[map[string]any](t, decodeFile(t, "quorate/values.yaml"), "")
	for name := range values {
		if !strings.Contains(string(readme), "`"+name) {
			t.Errorf("quorate/README.md does not tell of %s", name)
		}
		if schema[name] == nil {
			t.Errorf("quorate/values.schema.json does not know %s", name)
		}
	}
	for name := range schema {
		if values[name] == nil && name != "global" {
			t.Errorf("quorate/values.schema.json knows %s, which quorate/values.yaml has not", name)
		}
	}
}

func TestPermissionsAreThoseTheCodeAsksFor(t *testing.T) {
	var want, clusterWide []rbacv1.PolicyRule
	for _, r := range one[rbacv1.ClusterRole](t, decodeFile(t, roleFile), "ClusterRole").Rules {
		if slices.Equal(r.Resources, []string{"nodes"}) || slices.Equal(r.Resources, []string{"storageclasses"}) {
			clusterWide = append(clusterWide, r)
		} else {
			want = append(want, r)
		}
	}
	leases := one[rbacv1.Role](t, decodeFile(t, leaseFile), "Role").Rules

	t.Run("in all namespaces", func(t *testing.T) {
		objects := render(t)
		same(t, append(slices.Clone(want), clusterWide...), one[rbacv1.ClusterRole](t, objects, "ClusterRole").Rules)
		same(t, leases, one[rbacv1.Role](t, objects, "Role").Rules)
	})
	t.Run("in named namespaces, and to read what is in none", func(t *testing.T) {
		same(t, clusterWide, one[rbacv1.ClusterRole](t, render(t, "--set", "watchNamespaces={a,b}"), "ClusterRole").Rules)
	})
	t.Run("in named namespaces, without a ClusterRole", func(t *testing.T) {
		objects := render(t, "--set", "watchNamespaces={a,b}", "--set", "rbac.clusterReads=false")
		if n := len(ofKind(objects, "ClusterRole")) + len(ofKind(objects, "ClusterRoleBinding")); n != 0 {
			t.Errorf("there are %d cluster-wide objects, want none", n)
		}
		roles := ofKind(objects, "Role")
		if len(roles) != 3 {
			t.Fatalf("there are %d Roles, want one for a, one for b and one for the lease", len(roles))
		}
		for i, namespace := range []string{"a", "b"} {
			if got := roles[i].GetNamespace(); got != namespace {
				t.Errorf("Role %d is in %q, want %q", i, got, namespace)
			}
			same(t, want, one[rbacv1.Role](t, roles[i:i+1], "Role").Rules)
		}
	})
	t.Run("none when somebody else gives them", func(t *testing.T) {
		for _, o := range render(t, "--set", "rbac.create=false") {
			if strings.HasPrefix(o.GetAPIVersion(), "rbac.") {
				t.Errorf("%s %s is there", o.GetKind(), o.GetName())
			}
		}
	})
}

func TestCRDsAreTheGeneratedOnes(t *testing.T) {
	const kind, policy = "CustomResourceDefinition", "helm.sh/resource-policy"
	got := ofKind(render(t), kind)
	for _, o := range got {
		if v := o.GetAnnotations()[policy]; v != "keep" {
			t.Errorf("%s has the policy %q, want keep", o.GetName(), v)
		}
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations", policy)
	}
	files, err := filepath.Glob(filepath.Join(crdFolder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in %s: %v", crdFolder, err)
	}
	var want []*unstructured.Unstructured
	for _, f := range files {
		want = append(want, decodeFile(t, f)...)
	}
	same(t, asYAML(t, want), asYAML(t, got))
	if n := len(ofKind(render(t, "--set", "crds.enabled=false"), kind)); n != 0 {
		t.Errorf("there are %d CRDs with crds.enabled=false, want none", n)
	}
}

// TestKustomizeInstallsTheSameOperator keeps config/manager and the chart from
// drifting apart: everything but names and labels is equal.
func TestKustomizeInstallsTheSameOperator(t *testing.T) {
	chart := one[appsv1.Deployment](t, render(t), "Deployment").Spec.Template.Spec
	plain := one[appsv1.Deployment](t, decodeFile(t, "../config/manager/deployment.yaml"), "Deployment").Spec.Template.Spec
	chart.ServiceAccountName, plain.ServiceAccountName = "", ""
	chart.Containers[0].Image, plain.Containers[0].Image = "", "" // set by the kustomization
	same(t, plain, chart)
}

// TestPodsAreRestricted checks what the Pod Security level "restricted" asks for.
func TestPodsAreRestricted(t *testing.T) {
	pod := one[appsv1.Deployment](t, render(t), "Deployment").Spec.Template.Spec
	same(t, &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}, pod.SecurityContext.SeccompProfile)
	same(t, true, *pod.SecurityContext.RunAsNonRoot)
	for _, c := range pod.Containers {
		same(t, false, *c.SecurityContext.AllowPrivilegeEscalation)
		same(t, true, *c.SecurityContext.ReadOnlyRootFilesystem)
		same(t, &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, c.SecurityContext.Capabilities)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC || len(pod.Volumes) > 0 {
		t.Error("the pod shares something with its node")
	}
}

// asYAML makes a difference readable: cmp compares long strings line by line.
func asYAML(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	text, err := yaml.Marshal(objects)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func same[T any](t *testing.T, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
