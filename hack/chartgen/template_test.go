package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

const (
	smallCRD = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    controller-gen.kubebuilder.io/version: v0
  name: things.example.org
spec:
  group: "{{braces}}"
`
	smallRole = `---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: r
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [get]
`
)

func TestCRDTemplateAddsTheKeepPolicyAndEscapesBraces(t *testing.T) {
	got, err := crdTemplate([]string{smallCRD})
	if err != nil {
		t.Fatal(err)
	}
	want := mark + `{{- if .Values.crds.enabled }}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    helm.sh/resource-policy: keep
    controller-gen.kubebuilder.io/version: v0
  name: things.example.org
spec:
  group: "{{ "{{" }}braces}}"
{{- end }}
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("crdTemplate (-want +got):\n%s", d)
	}
}

func TestCRDTemplateRefusesAnUnknownLayout(t *testing.T) {
	if _, err := crdTemplate([]string{"kind: CustomResourceDefinition\n"}); err == nil {
		t.Error("a CRD without annotations was taken")
	}
}

func TestRulesOf(t *testing.T) {
	cases := []struct{ name, kind, text, problem string }{
		{"one role", "ClusterRole", smallRole, ""},
		{"a kind that is not wanted", "Role", smallRole, "want a Role"},
		{"two objects", "ClusterRole", smallRole + smallRole, "holds 2 objects"},
		{"no rules", "ClusterRole", "kind: ClusterRole\n", "with 0 rules"},
		{"a field that roles do not have", "ClusterRole", smallRole + "verbs: []\n", "unknown field"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := rulesOf(c.kind, []byte(c.text))
			switch {
			case c.problem == "" && err != nil:
				t.Fatal(err)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Fatalf("got error %v, want one that says %q", err, c.problem)
			case c.problem == "" && (len(got) != 1 || got[0].Resources[0] != "pods"):
				t.Errorf("got %v, want the rule about pods", got)
			}
		})
	}
}

// TestSplit wants every rule on one side.
func TestSplit(t *testing.T) {
	rules := []rbacv1.PolicyRule{{Resources: []string{"pods"}}, {Resources: []string{"nodes"}}, {Resources: []string{"storageclasses"}}}
	namespaced, clusterWide := split(rules)
	if d := cmp.Diff(rules[:1], namespaced); d != "" {
		t.Errorf("of namespaces (-want +got):\n%s", d)
	}
	if d := cmp.Diff(rules[1:], clusterWide); d != "" {
		t.Errorf("of none (-want +got):\n%s", d)
	}
}

// TestTheChartIsFresh needs no tool: it says so when somebody changed config/ or
// the generated templates and not the other.
func TestTheChartIsFresh(t *testing.T) {
	root := filepath.Join("..", "..")
	want, err := outputs(filepath.Join(root, "config"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(root, "charts", "quorate", "templates", name))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(text, string(got)); d != "" {
			t.Errorf("charts/quorate/templates/%s is stale, run \"make generate\" (-want +got):\n%s", name, d)
		}
	}
}
