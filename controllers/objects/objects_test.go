package objects

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/pki"
)

var update = flag.Bool("update", false, "write the golden files anew")

var options = Options{DefaultImage: "ghcr.io/quorate/quorate-node:test", OperatorNamespace: "quorate-system"}

// demo is a cluster with every default.
func demo() *v1alpha1.RaftCluster {
	duration := func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
	return &v1alpha1.RaftCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: "default", UID: "11111111-2222-3333-4444-555555555555"},
		Spec: v1alpha1.RaftClusterSpec{
			Replicas: 3,
			Storage:  v1alpha1.StorageSpec{Size: resource.MustParse("1Gi"), WhenDeleted: v1alpha1.RetainVolumes},
			Raft: v1alpha1.RaftSpec{
				ElectionTimeout: duration(time.Second), HeartbeatInterval: duration(100 * time.Millisecond), SnapshotEntries: 100000,
			},
			TLS: v1alpha1.TLSSpec{Mode: v1alpha1.TLSManaged, CADuration: duration(87600 * time.Hour), LeafDuration: duration(2160 * time.Hour)},
		},
		Status: v1alpha1.RaftClusterStatus{ClusterID: "0c0ffee0-0000-4000-8000-000000000000", FoundingReplicas: 3, Members: members(3)},
	}
}

// members are the IDs from 1 to n.
func members(n int64) (all []v1alpha1.MemberStatus) {
	for id := int64(1); id <= n; id++ {
		all = append(all, v1alpha1.MemberStatus{ID: id})
	}
	return all
}

// plain is a cluster without TLS.
func plain() *v1alpha1.RaftCluster {
	c := demo()
	c.Spec.TLS = v1alpha1.TLSSpec{Mode: v1alpha1.TLSDisabled}
	return c
}

// byCertManager is a cluster whose certificates cert-manager signs.
func byCertManager() *v1alpha1.RaftCluster {
	c := demo()
	c.Spec.TLS.Mode = v1alpha1.TLSCertManager
	c.Spec.TLS.IssuerRef = &v1alpha1.IssuerReference{Name: "ours", Kind: "ClusterIssuer", Group: "cert-manager.io"}
	return c
}

// full is a cluster that sets everything there is.
func full() *v1alpha1.RaftCluster {
	c := demo()
	class := "fast"
	c.Spec.Image, c.Spec.ImagePullPolicy = "example.com/node:2", corev1.PullAlways
	c.Spec.Storage = v1alpha1.StorageSpec{Size: resource.MustParse("20Gi"), StorageClassName: &class, WhenDeleted: v1alpha1.DeleteVolumes}
	c.Spec.TLS.Clients = v1alpha1.ClientTLSSpec{Enabled: true, Mutual: true}
	c.Spec.Pod = v1alpha1.PodSpec{
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
		},
		NodeSelector: map[string]string{"disk": "ssd"},
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: Selector(c)},
			}},
		}},
		Tolerations: []corev1.Toleration{{Key: "raft", Operator: corev1.TolerationOpExists}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 2, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: Selector(c)},
		}},
		PriorityClassName: "important",
		ImagePullSecrets:  []corev1.LocalObjectReference{{Name: "registry"}},
		// What belongs to the operator cannot be overridden.
		Labels:      map[string]string{"team": "a", "app.kubernetes.io/name": "mine", v1alpha1.LabelCluster: "other"},
		Annotations: map[string]string{"note": "b", v1alpha1.AnnotationTemplateHash: "mine"},
	}
	return c
}

// apart is a cluster whose members may not share a host or a zone.
func apart() *v1alpha1.RaftCluster {
	c := demo()
	c.Spec.Topology = v1alpha1.TopologySpec{Hosts: v1alpha1.SpreadRequired, Zones: v1alpha1.SpreadRequired}
	return c
}

func render(t *testing.T, objs []client.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, obj := range objs {
		u, err := Unstructured(obj)
		if err != nil {
			t.Fatal(err)
		}
		b, err := yaml.Marshal(u.Object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(b)
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		name string
		objs []client.Object
	}{
		{"shared", Shared(demo(), options)},
		{"member", []client.Object{Member(demo(), options, 2, nil)}},
		{"member-apart", []client.Object{Member(apart(), options, 2, nil)}},
		{"member-full", []client.Object{Member(full(), options, 2, nil)}},
		{"member-joins", []client.Object{Member(demo(), options, 4, nil)}},
		{"shared-plain", Shared(plain(), options)},
		{"member-plain", []client.Object{Member(plain(), options, 2, nil)}},
		{"certificates", []client.Object{
			Certificate(byCertManager(), pki.Member(byCertManager(), 2)), Certificate(byCertManager(), pki.Operator(byCertManager())),
		}},
		{"secrets", []client.Object{
			Secret(demo(), demo().CASecretName(), 0, map[string][]byte{pki.KeyTrust: []byte("certificates")}),
			Secret(demo(), demo().MemberTLSName(2), 2, map[string][]byte{pki.KeyCert: []byte("certificate"), pki.KeyKey: []byte("key"), pki.KeyTrust: []byte("certificates")}),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := render(t, tt.objs)
			file := filepath.Join("testdata", tt.name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got); -update if that is meant:\n%s", file, diff)
			}
		})
	}
}

func TestQuorumStaysAvailable(t *testing.T) {
	change := func(kind v1alpha1.ChangeKind, step v1alpha1.ChangeStep, joining, leaving int64) *v1alpha1.MembershipChange {
		return &v1alpha1.MembershipChange{Kind: kind, Step: step, Joining: joining, Leaving: leaving}
	}
	for _, tt := range []struct {
		name    string
		members int64
		change  *v1alpha1.MembershipChange
		want    int32
	}{
		{"alone", 1, nil, 1},
		{"two", 2, nil, 2},
		{"three", 3, nil, 2},
		{"four", 4, nil, 3},
		{"five", 5, nil, 3},
		{"seven", 7, nil, 4},
		{"nine", 9, nil, 5},
		{"a second one joins", 2, change(v1alpha1.ChangeScaleUp, v1alpha1.StepAdding, 2, 0), 2},
		{"the pod of one that joins makes up for no voter", 4, change(v1alpha1.ChangeScaleUp, v1alpha1.StepAdding, 4, 0), 3},
		{"one joins four", 5, change(v1alpha1.ChangeScaleUp, v1alpha1.StepPromoting, 5, 0), 4},
		{"one takes another's place", 4, change(v1alpha1.ChangeReplace, v1alpha1.StepPromoting, 4, 2), 3},
		{"it has taken it", 4, change(v1alpha1.ChangeReplace, v1alpha1.StepCleaningUp, 4, 2), 3},
		{"one moves to another volume", 4, change(v1alpha1.ChangeMove, v1alpha1.StepPromoting, 4, 2), 3},
		{"the only one moves", 2, change(v1alpha1.ChangeMove, v1alpha1.StepPromoting, 2, 1), 2},
		{"the only one leaves beside the other", 2, change(v1alpha1.ChangeMove, v1alpha1.StepRemoving, 2, 1), 2},
		{"one of three leaves", 3, change(v1alpha1.ChangeScaleDown, v1alpha1.StepRemoving, 0, 3), 3},
		{"one of five leaves", 5, change(v1alpha1.ChangeScaleDown, v1alpha1.StepRemoving, 0, 3), 4},
		{"it has left, its pod has not", 5, change(v1alpha1.ChangeScaleDown, v1alpha1.StepCleaningUp, 0, 3), 4},
		{"one that joined is taken away", 4, change(v1alpha1.ChangeAbandon, v1alpha1.StepRemoving, 0, 4), 3},
	} {
		c := demo()
		c.Status.Members, c.Status.Change = members(tt.members), tt.change
		if got := disruptionBudget(c).Spec.MinAvailable.IntVal; got != tt.want {
			t.Errorf("%s: minAvailable %d, want %d", tt.name, got, tt.want)
		}
	}
}

// What changes the hash restarts pods; nothing else may.
func TestTemplateHash(t *testing.T) {
	hash := func(change func(*v1alpha1.RaftCluster)) string {
		c := demo()
		change(c)
		return Member(c, options, 1, nil).Annotations[v1alpha1.AnnotationTemplateHash]
	}
	base := hash(func(*v1alpha1.RaftCluster) {})
	for name, tt := range map[string]struct {
		restarts bool
		change   func(*v1alpha1.RaftCluster)
	}{
		"image":         {true, func(c *v1alpha1.RaftCluster) { c.Spec.Image = "x" }},
		"election":      {true, func(c *v1alpha1.RaftCluster) { c.Spec.Raft.ElectionTimeout.Duration = time.Minute }},
		"label":         {true, func(c *v1alpha1.RaftCluster) { c.Spec.Pod.Labels = map[string]string{"a": "b"} }},
		"hosts apart":   {true, func(c *v1alpha1.RaftCluster) { c.Spec.Topology.Hosts = v1alpha1.SpreadRequired }},
		"hibernated":    {false, func(c *v1alpha1.RaftCluster) { c.Spec.Hibernated = true }},
		"size":          {false, func(c *v1alpha1.RaftCluster) { c.Spec.Storage.Size = resource.MustParse("2Gi") }},
		"when deleted":  {false, func(c *v1alpha1.RaftCluster) { c.Spec.Storage.WhenDeleted = v1alpha1.DeleteVolumes }},
		"wish to scale": {false, func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 5 }},
		"one more member": {false, func(c *v1alpha1.RaftCluster) {
			c.Status.Members, c.Status.Replicas = members(4), 4
			c.Status.Change = &v1alpha1.MembershipChange{Kind: v1alpha1.ChangeScaleUp, Joining: 4}
		}},
		"one member less": {false, func(c *v1alpha1.RaftCluster) { c.Status.Members = c.Status.Members[:2] }},
		"bootstrapped":    {false, func(c *v1alpha1.RaftCluster) { c.Status.Bootstrapped = true }},
		"recovery":        {false, func(c *v1alpha1.RaftCluster) { c.Spec.Recovery.ResetAfter.Duration = time.Minute }},
		"certificates":    {false, func(c *v1alpha1.RaftCluster) { c.Spec.TLS.LeafDuration.Duration = time.Hour }},
		"client TLS":      {true, func(c *v1alpha1.RaftCluster) { c.Spec.TLS.Clients.Enabled = true }},
		"other Secrets":   {true, func(c *v1alpha1.RaftCluster) { c.Spec.TLS.Secrets = &v1alpha1.TLSSecrets{Members: "a", Operator: "b"} }},
	} {
		if restarts := hash(tt.change) != base; restarts != tt.restarts {
			t.Errorf("%s: restarts pods: %t, want %t", name, restarts, tt.restarts)
		}
	}
}

// Who joins while a change of the pod is stuck gets the image, the resources and the place of those
// that serve.
func TestWithPodOf(t *testing.T) {
	want := full()
	want.Spec.Pod.Labels, want.Spec.Pod.Annotations = nil, nil // which keep no pod from running
	changed := demo()
	changed.Spec.TLS = want.Spec.TLS
	changed.Spec.Pod.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1k")}
	got := WithPodOf(changed, Member(want, options, 1, nil))
	if diff := cmp.Diff(Member(want, options, 4, nil).Spec.Template, Member(got, options, 4, nil).Spec.Template); diff != "" {
		t.Errorf("the pod of the newcomer (-served +got):\n%s", diff)
	}
}

// A claim template never changes: the size that exists is kept.
func TestLiveSizeIsKept(t *testing.T) {
	live := Member(demo(), options, 1, nil)
	c := demo()
	c.Spec.Storage.Size = resource.MustParse("5Gi")
	got := Member(c, options, 1, live)
	if diff := cmp.Diff(live.Spec.VolumeClaimTemplates, got.Spec.VolumeClaimTemplates); diff != "" {
		t.Errorf("claim template (-live +wanted):\n%s", diff)
	}
}

// Whether the claim of a member that has left stays is not decided by what becomes of claims
// when the RaftCluster is deleted.
func TestClaimsOfLeftMembersAreNotCollected(t *testing.T) {
	c := demo()
	c.Spec.Storage.WhenDeleted = v1alpha1.DeleteVolumes
	c.Status.Change = &v1alpha1.MembershipChange{Kind: v1alpha1.ChangeScaleDown, Step: v1alpha1.StepCleaningUp, Leaving: 3}
	for id, want := range map[int64]appsv1.PersistentVolumeClaimRetentionPolicyType{
		2: appsv1.DeletePersistentVolumeClaimRetentionPolicyType,
		3: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
	} {
		if got := Member(c, options, id, nil).Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted; got != want {
			t.Errorf("member %d: %s, want %s", id, got, want)
		}
	}
}

// What is written on a claim is enough to take the group up again.
func TestClaimMark(t *testing.T) {
	c := demo()
	c.Status.Members = members(4)
	c.Status.Members[1].Incarnation = "i2"
	change := func(kind v1alpha1.ChangeKind, step v1alpha1.ChangeStep) *v1alpha1.MembershipChange {
		return &v1alpha1.MembershipChange{Kind: kind, Step: step, Joining: 4, Leaving: 2}
	}
	for _, tt := range []struct {
		name   string
		change *v1alpha1.MembershipChange
		want   map[string]string
	}{
		{"at rest", nil, map[string]string{
			v1alpha1.AnnotationFoundingReplicas: "3", v1alpha1.AnnotationMembers: "1,2,3,4", v1alpha1.AnnotationFounded: "i2",
		}},
		{"another one joins in its place", change(v1alpha1.ChangeReplace, v1alpha1.StepPromoting), map[string]string{
			v1alpha1.AnnotationFoundingReplicas: "3", v1alpha1.AnnotationMembers: "1,2,3", v1alpha1.AnnotationFounded: "i2",
		}},
		{"it has left", change(v1alpha1.ChangeReplace, v1alpha1.StepCleaningUp), map[string]string{
			v1alpha1.AnnotationFoundingReplicas: "3", v1alpha1.AnnotationMembers: "1,3,4", v1alpha1.AnnotationFounded: "i2", v1alpha1.AnnotationRemoved: "true",
		}},
	} {
		c.Status.Change = tt.change
		if diff := cmp.Diff(tt.want, ClaimMark(c, 2)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestDifference(t *testing.T) {
	want := Member(demo(), options, 1, nil)
	tests := []struct {
		name   string
		change func(*appsv1.StatefulSet)
		path   string
	}{
		{"the same", func(*appsv1.StatefulSet) {}, ""},
		{"filled in by Kubernetes", func(s *appsv1.StatefulSet) {
			s.TypeMeta = metav1.TypeMeta{}
			s.UID, s.Generation = "u", 3
			s.Status.Replicas = 1
			s.Labels["theirs"] = "x"
			s.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways
			s.Spec.Template.Spec.Containers[0].ImagePullPolicy = corev1.PullAlways
		}, ""},
		{"a changed value", func(s *appsv1.StatefulSet) { *s.Spec.Replicas = 0 }, ".spec.replicas"},
		{"a missing label", func(s *appsv1.StatefulSet) { delete(s.Labels, v1alpha1.LabelMember) }, ".metadata.labels.quorate.dev/member"},
		{"a changed argument", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Args[1] = "x" }, ".spec.template.spec.containers[0].args[1]"},
		{"one container more", func(s *appsv1.StatefulSet) {
			s.Spec.Template.Spec.Containers = append(s.Spec.Template.Spec.Containers, corev1.Container{Name: "x"})
		}, ".spec.template.spec.containers"},
		{"another wish", func(s *appsv1.StatefulSet) { s.Annotations[v1alpha1.AnnotationSpecHash] = "old" }, ".metadata.annotations.quorate.dev/spec-hash"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			live := want.DeepCopy()
			tt.change(live)
			got, err := Difference(live, want)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.path {
				t.Errorf("differs at %q, want %q", got, tt.path)
			}
		})
	}
}

// An empty selector means "all": it must reach the API server.
func TestUnknownOperatorNamespaceAllowsAnyNamespace(t *testing.T) {
	var policy *networkingv1.NetworkPolicy
	for _, obj := range Shared(plain(), Options{}) {
		if p, ok := obj.(*networkingv1.NetworkPolicy); ok {
			policy = p
		}
	}
	u, err := Unstructured(policy)
	if err != nil {
		t.Fatal(err)
	}
	rules := u.Object["spec"].(map[string]any)["ingress"].([]any)
	from := rules[2].(map[string]any)["from"].([]any)[0].(map[string]any)
	if _, ok := from["namespaceSelector"]; !ok {
		t.Errorf("the rule for the operator is %v: it would hold for the cluster's own namespace only", from)
	}
}
