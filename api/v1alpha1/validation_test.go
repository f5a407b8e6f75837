package v1alpha1_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/quorate/quorate/api/apitest"
)

var config *rest.Config

func TestMain(m *testing.M) { apitest.Main(m, func(c *rest.Config) { config = c }) }

// create sends a spec in JSON, as a user's file would be sent: with fields of any type.
func create(t *testing.T, c client.Client, ns, name, spec string) (*unstructured.Unstructured, error) {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "quorate.dev", Version: "v1alpha1", Kind: "RaftCluster"})
	u.SetName(name)
	u.SetNamespace(ns)
	if err := unstructured.SetNestedField(u.Object, parse(t, spec), "spec"); err != nil {
		t.Fatal(err)
	}
	return u, c.Create(context.Background(), u)
}

func parse(t *testing.T, spec string) map[string]any {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	// The decoder of unstructured objects tells integers from fractions.
	if err := u.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"X","spec":` + string(b) + `}`)); err != nil {
		t.Fatal(err)
	}
	spec2, _, err := unstructured.NestedMap(u.Object, "spec")
	if err != nil {
		t.Fatal(err)
	}
	return spec2
}

func connect(t *testing.T) (client.Client, string) {
	t.Helper()
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c, apitest.Namespace(t, config)
}

func check(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Fatalf("refused: %v", err)
	case want != "" && err == nil:
		t.Fatalf("accepted, want a refusal with %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Fatalf("refused with\n  %v\nwant\n  %s", err, want)
	}
}

// TestCreate has for every rule of the schema a spec that passes and one that fails.
func TestCreate(t *testing.T) {
	c, ns := connect(t)
	tests := []struct {
		name               string // of the case; also the object's, where object is empty
		object, spec, want string
	}{
		{"everything-has-a-default", "", `{}`, ""},

		{"replicas-least", "", `{replicas: 1}`, ""},
		{"replicas-most", "", `{replicas: 9}`, ""},
		{"replicas-none", "", `{replicas: 0}`, "spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1"},
		{"replicas-too-many", "", `{replicas: 10}`, "spec.replicas: Invalid value: 10: spec.replicas in body should be less than or equal to 9"},
		{"replicas-fraction", "", `{replicas: 2.5}`, `spec.replicas: Invalid value: "float64": spec.replicas in body must be of type int32: "float64"`},

		{"name-longest", strings.Repeat("n", 40), `{}`, ""},
		{"name-too-long", strings.Repeat("n", 41), `{}`, "metadata.name: at most 40 characters, because members, pods and their labels are named after it"},
		{"name-letter", "a1-b", `{}`, ""},
		{"name-digit", "1a", `{}`, "metadata.name: must start with a letter and hold only lower-case letters, digits and '-', because Services are named after it"},
		{"name-dot", "a.b", `{}`, "metadata.name: must start with a letter and hold only lower-case letters, digits and '-', because Services are named after it"},

		{"image", "", `{image: "example.com/node:1"}`, ""},
		{"image-empty", "", `{image: ""}`, "spec.image in body should be at least 1 chars long"},
		{"pull-policy", "", `{imagePullPolicy: Never}`, ""},
		{"pull-policy-unknown", "", `{imagePullPolicy: Sometimes}`, `spec.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`},

		{"size-least", "", `{storage: {size: 64Mi}}`, ""},
		{"size-number", "", `{storage: {size: 100000000}}`, ""},
		{"size-too-small", "", `{storage: {size: 63Mi}}`, "storage.size: 63Mi is too small for a log; at least 64Mi is needed"},
		{"size-not-a-quantity", "", `{storage: {size: big}}`, `spec.storage.size in body should match`},
		{"class", "", `{storage: {storageClassName: fast}}`, ""},
		{"when-deleted", "", `{storage: {whenDeleted: Delete}}`, ""},
		{"when-deleted-unknown", "", `{storage: {whenDeleted: Keep}}`, `spec.storage.whenDeleted: Unsupported value: "Keep": supported values: "Retain", "Delete"`},
		{"when-removed", "", `{storage: {whenRemoved: Retain}}`, ""},
		{"when-removed-unknown", "", `{storage: {whenRemoved: Keep}}`, `spec.storage.whenRemoved: Unsupported value: "Keep": supported values: "Retain", "Delete"`},

		{"heartbeat-shorter", "", `{raft: {heartbeatInterval: 50ms, electionTimeout: 500ms}}`, ""},
		{"heartbeat-equal", "", `{raft: {heartbeatInterval: 1s, electionTimeout: 1s}}`, "raft.heartbeatInterval: 1s must be less than raft.electionTimeout 1s; a tenth of it is usual"},
		{"heartbeat-least", "", `{raft: {heartbeatInterval: 10ms}}`, ""},
		{"heartbeat-too-short", "", `{raft: {heartbeatInterval: 9ms}}`, "raft.heartbeatInterval: 9ms is too short; at least 10ms"},
		{"election-longest", "", `{raft: {electionTimeout: 1m}}`, ""},
		{"election-too-long", "", `{raft: {electionTimeout: 61s}}`, "raft.electionTimeout: 61s is too long; at most 60s"},
		{"election-not-a-duration", "", `{raft: {electionTimeout: soon}}`, "spec.raft.electionTimeout in body should match"},
		{"snapshot-least", "", `{raft: {snapshotEntries: 1000}}`, ""},
		{"snapshot-too-few", "", `{raft: {snapshotEntries: 999}}`, "spec.raft.snapshotEntries in body should be greater than or equal to 1000"},

		{"min-ready-none", "", `{updateStrategy: {minReadySeconds: 0}}`, ""},
		{"min-ready-too-long", "", `{updateStrategy: {minReadySeconds: 3601}}`, "spec.updateStrategy.minReadySeconds in body should be less than or equal to 3600"},
		{"restarts-none", "", `{recovery: {maxRestarts: 0}}`, ""},
		{"restarts-negative", "", `{recovery: {maxRestarts: -1}}`, "spec.recovery.maxRestarts in body should be greater than or equal to 0"},
		{"replacements-none", "", `{recovery: {maxReplacements: 0}}`, ""},
		{"replacements-negative", "", `{recovery: {maxReplacements: -1}}`, "spec.recovery.maxReplacements in body should be greater than or equal to 0"},
		{"node-lost-after", "", `{recovery: {nodeLostAfter: 1h}}`, ""},
		{"node-lost-after-not-a-duration", "", `{recovery: {nodeLostAfter: soon}}`, "spec.recovery.nodeLostAfter in body should match"},
		{"backoff-equal", "", `{recovery: {backoff: {initial: 1m, max: 60s}}}`, ""},
		{"backoff-upside-down", "", `{recovery: {backoff: {initial: 10m}}}`, "recovery.backoff.initial: 10m must not exceed recovery.backoff.max 5m"},

		{"tls-managed", "", `{tls: {}}`, ""},
		{"tls-unknown", "", `{tls: {mode: Plain}}`, `spec.tls.mode: Unsupported value: "Plain": supported values: "Managed", "CertManager", "Secret", "Disabled"`},
		{"tls-disabled", "", `{tls: {mode: Disabled}}`, ""},
		{"tls-cert-manager", "", `{tls: {mode: CertManager, issuerRef: {name: ours}}}`, ""},
		{"tls-cert-manager-without-issuer", "", `{tls: {mode: CertManager}}`, "tls.issuerRef: is needed in mode CertManager"},
		{"tls-issuer-without-cert-manager", "", `{tls: {issuerRef: {name: ours}}}`, "tls.issuerRef: belongs to mode CertManager, not to Managed; there is one source of certificates"},
		{"tls-issuer-without-name", "", `{tls: {mode: CertManager, issuerRef: {kind: ClusterIssuer}}}`, "spec.tls.issuerRef.name: Required value"},
		{"tls-secret", "", `{tls: {mode: Secret, secrets: {members: a, operator: b}}}`, ""},
		{"tls-secret-without-secrets", "", `{tls: {mode: Secret}}`, "tls.secrets: is needed in mode Secret"},
		{"tls-secrets-beside-managed", "", `{tls: {secrets: {members: a, operator: b}}}`, "tls.secrets: belongs to mode Secret, not to Managed; there is one source of certificates"},
		{"tls-two-sources", "", `{tls: {mode: Secret, issuerRef: {name: ours}, secrets: {members: a, operator: b}}}`, "tls.issuerRef: belongs to mode CertManager, not to Secret; there is one source of certificates"},
		{"tls-half-of-the-secrets", "", `{tls: {mode: Secret, secrets: {members: a}}}`, "spec.tls.secrets.operator: Required value"},
		{"tls-clients", "", `{tls: {clients: {enabled: true, mutual: true}}}`, ""},
		{"tls-clients-one-way", "", `{tls: {clients: {enabled: true}}}`, ""},
		{"tls-clients-mutual-alone", "", `{tls: {clients: {mutual: true}}}`, "tls.clients.mutual: needs tls.clients.enabled"},
		{"tls-clients-disabled", "", `{tls: {mode: Disabled, clients: {enabled: true}}}`, "tls.clients.enabled: needs certificates, so another tls.mode than Disabled"},
		{"tls-leaf-least", "", `{tls: {leafDuration: 10m}}`, ""},
		{"tls-leaf-too-short", "", `{tls: {leafDuration: 599s}}`, "tls.leafDuration: 599s is too short for new files to reach every pod; at least 10m"},
		{"tls-ca-least", "", `{tls: {caDuration: 8640h}}`, ""},
		{"tls-ca-too-short", "", `{tls: {caDuration: 8639h}}`, "tls.caDuration: 8639h must be at least four times tls.leafDuration 2160h, so that leaves can move from one CA to the next"},
		{"tls-ca-longest", "", `{tls: {caDuration: 876000h}}`, ""},
		{"tls-ca-too-long", "", `{tls: {caDuration: 876001h}}`, "tls.caDuration: 876001h is too long; at most 876000h, a hundred years"},
		{"tls-renew", "", `{tls: {leafDuration: 1h, renewBefore: 59m}}`, ""},
		{"tls-renew-at-once", "", `{tls: {leafDuration: 1h, renewBefore: 60m}}`, "tls.renewBefore: 60m must be at least 1m and less than tls.leafDuration 1h"},
		{"tls-renew-too-late", "", `{tls: {renewBefore: 59s}}`, "tls.renewBefore: 59s must be at least 1m and less than tls.leafDuration 2160h"},
		{"tls-not-a-duration", "", `{tls: {leafDuration: 90d}}`, "spec.tls.leafDuration in body should match"},
		{"topology", "", `{topology: {hosts: Required, zones: Required}}`, ""},
		{"topology-unknown", "", `{topology: {hosts: Never}}`, `spec.topology.hosts: Unsupported value: "Never": supported values: "Preferred", "Required"`},
		{"topology-own", "", `{pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]}}`, ""},
		{"topology-twice", "", `{topology: {zones: Required}, pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]}}`, "topology: Required does not go with pod.topologySpreadConstraints, which replace it; say everything in one of the two"},

		{"labels", "", `{pod: {labels: {team: a, app.kubernetes.io/x: b}}}`, ""},
		{"labels-of-the-operator", "", `{pod: {labels: {quorate.dev/member: "7"}}}`, "pod.labels: keys under quorate.dev/ belong to the operator; use another prefix"},
		{"annotations", "", `{pod: {annotations: {team: a}}}`, ""},
		{"annotations-of-the-operator", "", `{pod: {annotations: {quorate.dev/founded: "7"}}}`, "pod.annotations: keys under quorate.dev/ belong to the operator; use another prefix"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := tt.object
			if name == "" {
				name = tt.name
			}
			_, err := create(t, c, ns, name, tt.spec)
			check(t, err, tt.want)
		})
	}
}

// TestChange has for every rule about a change one that passes and one that fails.
func TestChange(t *testing.T) {
	c, ns := connect(t)
	tests := []struct{ name, before, after, want string }{
		{"size-grows", `{storage: {size: 1Gi}}`, `{storage: {size: 2Gi}}`, ""},
		{"size-stays-in-other-words", `{storage: {size: 1Gi}}`, `{storage: {size: 1024Mi}}`, ""},
		{"size-shrinks", `{storage: {size: 2Gi}}`, `{storage: {size: 1Gi}}`, "storage.size: cannot shrink from 2Gi to 1Gi; a volume only grows, so keep the size or create a new cluster"},
		{"size-shrinks-to-the-default", `{storage: {size: 2Gi}}`, `{}`, "storage.size: cannot shrink from 2Gi to 1Gi"},
		{"class-stays", `{storage: {storageClassName: fast}}`, `{replicas: 5, storage: {storageClassName: fast}}`, ""},
		{"class-stays-the-default", `{}`, `{replicas: 5}`, ""},
		{"class-changes", `{storage: {storageClassName: fast}}`, `{storage: {storageClassName: slow}}`, ""},
		{"class-goes", `{storage: {storageClassName: fast}}`, `{}`, ""},
		{"class-comes", `{}`, `{storage: {storageClassName: fast}}`, ""},
		{"class-changes-and-size-shrinks", `{storage: {storageClassName: fast, size: 2Gi}}`, `{storage: {storageClassName: slow, size: 1Gi}}`, "storage.size: cannot shrink from 2Gi to 1Gi"},
		{"when-deleted-changes", `{storage: {whenDeleted: Retain}}`, `{storage: {whenDeleted: Delete}}`, ""},
		{"replicas-shrink", `{replicas: 7}`, `{replicas: 1}`, ""},
		{"tls-mode-stays", `{}`, `{tls: {mode: Managed, leafDuration: 24h, clients: {enabled: true}}}`, ""},
		{"tls-mode-changes", `{}`, `{tls: {mode: Disabled}}`, "tls.mode: cannot change from Managed to Disabled; members that trust one source refuse those of the other while they are changed one by one, so create a new cluster"},
		{"tls-mode-goes", `{tls: {mode: Disabled}}`, `{}`, "tls.mode: cannot change from Disabled to Managed"},
		{"tls-issuer-stays", `{tls: {mode: CertManager, issuerRef: {name: a}}}`, `{replicas: 5, tls: {mode: CertManager, issuerRef: {name: a, kind: Issuer}}}`, ""},
		{"tls-issuer-changes", `{tls: {mode: CertManager, issuerRef: {name: a}}}`, `{tls: {mode: CertManager, issuerRef: {name: b}}}`, "tls.issuerRef: cannot change; members with certificates of two issuers would refuse each other, so create a new cluster"},
		{"tls-secrets-change", `{tls: {mode: Secret, secrets: {members: a, operator: b}}}`, `{tls: {mode: Secret, secrets: {members: c, operator: b}}}`, ""},
		{"everything-else-changes", `{}`, `{replicas: 5, image: x, paused: true, hibernated: true, topology: {hosts: Required}, raft: {electionTimeout: 2s}, recovery: {maxRestarts: 0}}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := create(t, c, ns, tt.name, tt.before)
			if err != nil {
				t.Fatalf("the spec before is refused: %v", err)
			}
			u.Object["spec"] = parse(t, tt.after)
			check(t, c.Update(context.Background(), u), tt.want)
		})
	}
}

func TestDefaults(t *testing.T) {
	c, ns := connect(t)
	u, err := create(t, c, ns, "defaults", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(u.Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"pod":{},"raft":{"electionTimeout":"1s","heartbeatInterval":"100ms","snapshotEntries":100000},` +
		`"recovery":{"backoff":{"initial":"10s","max":"5m"},"maxReplacements":3,"maxRestarts":3,"nodeLostAfter":"15m","resetAfter":"10m"},"replicas":3,` +
		`"storage":{"size":"1Gi","whenDeleted":"Retain","whenRemoved":"Delete"},"tls":{"caDuration":"87600h","clients":{},"leafDuration":"2160h","mode":"Managed"},"topology":{"hosts":"Preferred","zones":"Preferred"},"updateStrategy":{"minReadySeconds":10}}`
	if string(got) != want {
		t.Errorf("defaults are\n  %s\nwant\n  %s", got, want)
	}
}

func TestSamplesAreAccepted(t *testing.T) {
	c, ns := connect(t)
	files, err := filepath.Glob("../../config/samples/raftcluster*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(b, &u.Object); err != nil {
			t.Fatal(err)
		}
		u.SetNamespace(ns)
		// Strict: a field that the schema does not know is an error, not dropped.
		if err := client.WithFieldValidation(c, "Strict").Create(context.Background(), u); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}
