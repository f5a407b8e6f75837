package observetest

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// storageWord reads a word about the volume of a claim; false: it is no such word.
func storageWord(claim *corev1.PersistentVolumeClaim, word string) bool {
	key, value, _ := strings.Cut(word, "=")
	condition := func(kind corev1.PersistentVolumeClaimConditionType) {
		claim.Status.Conditions = append(claim.Status.Conditions, corev1.PersistentVolumeClaimCondition{
			Type: kind, Status: corev1.ConditionTrue, Message: strings.ReplaceAll(value, "_", " "),
		})
	}
	switch key {
	case "asks": // and is bound to a volume of that size
		size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(value)}
		claim.Spec.Resources.Requests, claim.Status.Capacity, claim.Status.Phase = size, size, corev1.ClaimBound
	case "has":
		claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(value)}
	case "class":
		claim.Spec.StorageClassName = &value
	case "resize-failed":
		condition(corev1.PersistentVolumeClaimControllerResizeError)
	case "node-resize-failed":
		condition(corev1.PersistentVolumeClaimNodeResizeError)
	case "infeasible":
		claim.Status.AllocatedResourceStatuses = map[corev1.ResourceName]corev1.ClaimResourceStatus{
			corev1.ResourceStorage: corev1.PersistentVolumeClaimControllerResizeInfeasible,
		}
	case "file-system-pending":
		condition(corev1.PersistentVolumeClaimFileSystemResizePending)
	default:
		return false
	}
	return true
}

// readClass reads a StorageClass.
func (p *picture) readClass(name string, words []string) error {
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, w := range words {
		switch w {
		case "expands":
			yes := true
			class.AllowVolumeExpansion = &yes
		case "unreadable":
			class = nil
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	p.Classes[name] = class
	return nil
}
