package raftcluster

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
)

// edit is what a hand does to an object.
type edit struct {
	name   string
	object client.Object
	change func(client.Object)
}

// on types the change of an edit.
func on[T client.Object](object T, change func(T)) (client.Object, func(client.Object)) {
	return object, func(o client.Object) { change(o.(T)) }
}

func edits(ns string) []edit {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: name} }
	var all []edit
	add := func(name string, object client.Object, change func(client.Object)) {
		all = append(all, edit{name, object, change})
	}
	service := func(what, name string, change func(*corev1.Service)) {
		o, f := on(&corev1.Service{ObjectMeta: meta(name)}, change)
		add("Service "+name+": "+what, o, f)
	}
	service("selector is narrowed", "demo", func(s *corev1.Service) { s.Spec.Selector["x"] = "y" })
	service("selector is another", "demo", func(s *corev1.Service) { s.Spec.Selector = map[string]string{"x": "y"} })
	service("port is another", "demo", func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(1) })
	service("port is added", "demo", func(s *corev1.Service) { s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "x", Port: 99}) })
	service("peers wait for readiness", "demo-peers", func(s *corev1.Service) { s.Spec.PublishNotReadyAddresses = false })
	service("port is added", "demo-peers", func(s *corev1.Service) { s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "x", Port: 99}) })
	service("owner is removed", "demo", func(s *corev1.Service) { s.OwnerReferences = nil })
	service("label is removed", "demo", func(s *corev1.Service) { delete(s.Labels, v1alpha1.LabelCluster) })

	account, f := on(&corev1.ServiceAccount{ObjectMeta: meta("demo")}, func(s *corev1.ServiceAccount) { yes := true; s.AutomountServiceAccountToken = &yes })
	add("ServiceAccount: gets a token", account, f)
	budget := func(what string, change func(*policyv1.PodDisruptionBudget)) {
		o, f := on(&policyv1.PodDisruptionBudget{ObjectMeta: meta("demo")}, change)
		add("PodDisruptionBudget: "+what, o, f)
	}
	budget("all may go", func(b *policyv1.PodDisruptionBudget) { b.Spec.MinAvailable = &intstr.IntOrString{} })
	budget("turned round", func(b *policyv1.PodDisruptionBudget) {
		three := intstr.FromInt32(3)
		b.Spec.MinAvailable, b.Spec.MaxUnavailable = nil, &three
	})
	budget("selector is narrowed", func(b *policyv1.PodDisruptionBudget) { b.Spec.Selector.MatchLabels["x"] = "y" })
	budget("unhealthy pods stay", func(b *policyv1.PodDisruptionBudget) { b.Spec.UnhealthyPodEvictionPolicy = nil })

	policy := func(what string, change func(*networkingv1.NetworkPolicy)) {
		o, f := on(&networkingv1.NetworkPolicy{ObjectMeta: meta("demo")}, change)
		add("NetworkPolicy: "+what, o, f)
	}
	policy("clients are kept out", func(p *networkingv1.NetworkPolicy) {
		p.Spec.Ingress[0].From = []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8"}}}
	})
	policy("a rule is removed", func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress = p.Spec.Ingress[1:] })
	policy("a rule is added", func(p *networkingv1.NetworkPolicy) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
	})
	policy("selector is narrowed", func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector.MatchLabels["x"] = "y" })
	policy("egress is closed", func(p *networkingv1.NetworkPolicy) {
		p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
	})
	return append(all, setEdits(meta("demo-2"))...)
}

func setEdits(meta metav1.ObjectMeta) []edit {
	var all []edit
	set := func(what string, change func(*appsv1.StatefulSet)) {
		o, f := on(&appsv1.StatefulSet{ObjectMeta: meta}, change)
		all = append(all, edit{"StatefulSet: " + what, o, f})
	}
	set("is scaled up", func(s *appsv1.StatefulSet) { two := int32(2); s.Spec.Replicas = &two })
	set("image is another", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = "theirs" })
	set("argument is another", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Args[3] = "--member-id=1" })
	set("container is added", func(s *appsv1.StatefulSet) {
		theirs := s.Spec.Template.Spec.Containers[0].DeepCopy()
		theirs.Name, theirs.Ports, theirs.VolumeMounts = "theirs", nil, nil
		s.Spec.Template.Spec.Containers = append(s.Spec.Template.Spec.Containers, *theirs)
	})
	set("updates roll", func(s *appsv1.StatefulSet) {
		none := int32(0)
		s.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{
			Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &none},
		}
	})
	set("volumes go", func(s *appsv1.StatefulSet) {
		s.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted = appsv1.DeletePersistentVolumeClaimRetentionPolicyType
		s.Spec.PersistentVolumeClaimRetentionPolicy.WhenScaled = appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	})
	set("hash is another", func(s *appsv1.StatefulSet) { s.Annotations[v1alpha1.AnnotationTemplateHash] = "x" })
	set("owner is removed", func(s *appsv1.StatefulSet) { s.OwnerReferences = nil })
	set("label is removed", func(s *appsv1.StatefulSet) { delete(s.Labels, v1alpha1.LabelCluster) })
	set("all labels are removed", func(s *appsv1.StatefulSet) { s.Labels = nil })
	set("annotations are removed", func(s *appsv1.StatefulSet) { s.Annotations = nil })
	return all
}

// What a hand changes on an object of the cluster is put right, no pod is restarted for
// that, and then it is quiet again.
func TestEditsByHandArePutRight(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	pods := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")
	for _, e := range edits(w.ns) {
		t.Run(e.name, func(t *testing.T) {
			w.must(w.c.Get(w.ctx, client.ObjectKeyFromObject(e.object), e.object))
			e.change(e.object)
			w.must(w.c.Update(w.ctx, e.object, client.FieldOwner("hand")))
			if diffs := w.differences(r); len(diffs) == 0 {
				t.Fatal("the edit changed nothing")
			}
			c := w.until(r, "demo", "put right", func(c *v1alpha1.RaftCluster) bool { return stable(c) && len(w.differences(r)) == 0 })
			w.wantObjects(c, 3)
			w.wantPods(pods, "demo-1-0", "demo-2-0", "demo-3-0")
			w.wantNoWrites("demo")
		})
	}
}

// differences tells what of the cluster's objects is not as wanted, by the API server itself.
func (w *world) differences(r *Reconciler) []string {
	w.t.Helper()
	c := w.get("demo")
	wanted := objects.Shared(c, r.Options)
	for id := int64(1); id <= 3; id++ {
		wanted = append(wanted, objects.Member(c, r.Options, id, nil))
	}
	var all []string
	for _, want := range wanted {
		live := want.DeepCopyObject().(client.Object)
		w.must(w.c.Get(w.ctx, client.ObjectKeyFromObject(want), live))
		path, err := objects.Difference(live, want)
		w.must(err)
		if path != "" {
			all = append(all, want.GetName()+path)
		}
	}
	return all
}

// An object that is deleted by hand is made again.
func TestDeletedByHand(t *testing.T) {
	t.Parallel()
	for _, obj := range []client.Object{
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "demo"}}, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "demo-peers"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "demo"}}, &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "demo"}},
		&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "demo"}},
	} {
		t.Run(kindName(obj), func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			r := w.reconciler(w.c)
			w.until(r, "demo", "stable", stable)
			obj.SetNamespace(w.ns)
			w.must(w.c.Delete(w.ctx, obj))
			if _, err := w.pass(r, "demo"); err != nil {
				t.Fatal(err)
			}
			w.wantObjects(w.get("demo"), 3)
		})
	}
}

func kindName(obj client.Object) string {
	switch obj.(type) {
	case *corev1.Service:
		return "Service " + obj.GetName()
	case *corev1.ServiceAccount:
		return "ServiceAccount"
	case *policyv1.PodDisruptionBudget:
		return "PodDisruptionBudget"
	}
	return "NetworkPolicy"
}

// A claim that loses its label is not taken for lost, and gets it back.
func TestClaimWithoutItsLabel(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	claim := &corev1.PersistentVolumeClaim{}
	key := client.ObjectKey{Namespace: w.ns, Name: "data-demo-2-0"}
	w.must(w.c.Get(w.ctx, key, claim))
	claim.Labels = nil
	w.must(w.c.Update(w.ctx, claim))
	w.until(r, "demo", "put right", func(c *v1alpha1.RaftCluster) bool {
		w.must(w.c.Get(w.ctx, key, claim))
		return stable(c) && claim.Labels[v1alpha1.LabelCluster] == "demo"
	})
	if claim.Labels[v1alpha1.LabelMember] != "2" {
		t.Errorf("labels %v", claim.Labels)
	}
	w.wantNoWrites("demo")
}

// A pod that loses its label is told: its StatefulSet can make no other one of that name, and
// the operator has no right to change pods.
func TestPodWithoutItsLabel(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	pod := w.pod("demo-2-0")
	label := pod.Labels
	pod.Labels = nil
	w.must(w.c.Update(w.ctx, pod))
	c := w.until(r, "demo", "told", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonWaitingForMembers))
	const want = "waiting for member demo-2 (pod demo-2-0 lacks the label quorate.dev/cluster=demo; put it back, or delete the pod)"
	if got := message(t, c, v1alpha1.ConditionProgressing); got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	pod = w.pod("demo-2-0")
	pod.Labels = label
	w.must(w.c.Update(w.ctx, pod))
	w.until(r, "demo", "stable", stable)
}
