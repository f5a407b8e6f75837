package objects

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// Unstructured gives an object of this package in the form that server-side apply
// takes: without status, and with the fields that are set only.
func Unstructured(obj client.Object) (*unstructured.Unstructured, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("convert %T %s: %w", obj, obj.GetName(), err)
	}
	delete(m, "status")
	prune(m)
	return &unstructured.Unstructured{Object: m}, nil
}

// Difference gives the path of a field whose wanted value the live object does not have;
// empty when there is none. A field that is no longer wanted shows in the annotation
// AnnotationSpecHash. What others add is theirs, but for list elements, and for what narrows
// the meaning of the fields beside it: in selectors and in the rules of a NetworkPolicy.
func Difference(live, want client.Object) (string, error) {
	l, err := Unstructured(live)
	if err != nil {
		return "", err
	}
	w, err := Unstructured(want)
	if err != nil {
		return "", err
	}
	// An object that was read into its Go type has lost its kind.
	delete(w.Object, "kind")
	delete(w.Object, "apiVersion")
	return missing("", l.Object, w.Object), nil
}

func missing(path string, live, want any) string {
	switch w := want.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return path
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			if p := missing(path+"."+k, l[k], w[k]); p != "" {
				return p
			}
		}
		if whole(path) && len(l) > len(w) {
			return path
		}
	case []any:
		l, ok := live.([]any)
		if !ok || len(l) != len(w) {
			return path
		}
		for i := range w {
			if p := missing(fmt.Sprintf("%s[%d]", path, i), l[i], w[i]); p != "" {
				return p
			}
		}
	default:
		if !equality.Semantic.DeepEqual(live, want) {
			return path
		}
	}
	return ""
}

// whole tells whether a field means another thing as soon as something is added to it.
func whole(path string) bool {
	for _, part := range strings.Split(path, ".") {
		name, _, _ := strings.Cut(part, "[")
		switch name {
		case "selector", "matchLabels", "podSelector", "namespaceSelector", "labelSelector", "ingress":
			return true
		}
	}
	return false
}

// prune drops nulls and the empty maps that Go's zero values leave behind, except
// where an empty map says "everything": in selectors.
func prune(m map[string]any) {
	for k, v := range m {
		switch v := v.(type) {
		case nil:
			delete(m, k)
		case map[string]any:
			prune(v)
			if len(v) == 0 && k != "namespaceSelector" && k != "podSelector" && k != "emptyDir" {
				delete(m, k)
			}
		case []any:
			for _, e := range v {
				if em, ok := e.(map[string]any); ok {
					prune(em)
					delete(em, "status") // of a claim template
				}
			}
		}
	}
}

// stamp writes the hash of what is wanted onto it.
func stamp(obj client.Object) {
	obj.GetAnnotations()[v1alpha1.AnnotationSpecHash] = hashOf(obj)
}

// hashOf is short, because it is read by people; it guards against change, not malice.
func hashOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("objects: a wanted %T has no JSON form: %v", v, err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// KeepTemplate takes the pod template of the live StatefulSet into the wanted one: its turn
// to change has not come.
func KeepTemplate(want, live *appsv1.StatefulSet) {
	want.Spec.Template = *live.Spec.Template.DeepCopy()
	for _, hash := range []string{v1alpha1.AnnotationTemplateHash, v1alpha1.AnnotationSpecHash} {
		want.Annotations[hash] = live.Annotations[hash]
	}
}
