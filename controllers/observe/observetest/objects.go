package observetest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// annotationWords are the words for annotations.
var annotationWords = map[string]string{
	"id":       v1alpha1.AnnotationClusterID,
	"founded":  v1alpha1.AnnotationFounded,
	"founders": v1alpha1.AnnotationFoundingReplicas,
	"members":  v1alpha1.AnnotationMembers,
	"on":       "volume.kubernetes.io/selected-node",
}

func (p *picture) readClaim(name string, words []string) error {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("c-" + name), Labels: map[string]string{v1alpha1.LabelCluster: p.Cluster.Name}, Annotations: map[string]string{}}}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch {
		case annotationWords[key] != "":
			claim.Annotations[annotationWords[key]] = value
		case key == "removed":
			claim.Annotations[v1alpha1.AnnotationRemoved] = "true"
		case key == "owner": // UID of a StatefulSet
			claim.OwnerReferences = []metav1.OwnerReference{{Kind: "StatefulSet", Name: "any", UID: types.UID(value)}}
		case key == "phase":
			claim.Status.Phase = corev1.PersistentVolumeClaimPhase(value)
		case key == "terminating":
			claim.DeletionTimestamp = &metav1.Time{Time: Epoch}
		case key == "unlabelled":
			claim.Labels = nil
		case !storageWord(claim, w):
			return fmt.Errorf("unknown word %q", w)
		}
	}
	p.Claims[name] = claim
	return nil
}

func (p *picture) readSecret(name string, words []string) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("k-" + name), Labels: map[string]string{v1alpha1.LabelCluster: p.Cluster.Name}}}
	for _, w := range words {
		switch key, value, _ := strings.Cut(w, "="); key {
		case "member":
			secret.Labels[v1alpha1.LabelMember] = value
		case "terminating":
			secret.DeletionTimestamp = &metav1.Time{Time: Epoch}
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	p.Secrets[name] = secret
	return nil
}

func (p *picture) readSet(name string, words []string) error {
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{}}}
	p.Strays[name] = set
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch {
		case annotationWords[key] != "":
			set.Annotations[annotationWords[key]] = value
		case key == "uid":
			set.UID = types.UID(value)
		case key == "orphan":
			delete(p.Strays, name)
			p.Orphans[name] = set
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	return nil
}

func (p *picture) readNode(name string, words []string) error {
	ready := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(Epoch.Add(-time.Hour))}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, w := range words {
		switch key, value, _ := strings.Cut(w, "="); key {
		case "gone":
			node = nil
		case "not-ready":
			n, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			ready.Status, ready.LastTransitionTime = corev1.ConditionUnknown, metav1.NewTime(Epoch.Add(-time.Duration(n)*time.Second))
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	if node != nil {
		node.Status.Conditions = []corev1.NodeCondition{ready}
	}
	p.Nodes[name] = node
	return nil
}
