package charts

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// helm gives the path of Helm: of the PATH, or as hack/tools/build.sh built it.
// "make check" sets QUORATE_NEED_TOOLS, so that a missing Helm fails there and only
// skips in a bare "go test ./...".
func helm(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("helm"); err == nil {
		return path
	}
	cache := os.Getenv("QUORATE_CACHE")
	if home, err := os.UserHomeDir(); err == nil && cache == "" {
		cache = filepath.Join(home, ".cache", "quorate")
	}
	path := filepath.Join(cache, "bin", "helm")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("QUORATE_NEED_TOOLS") != "" {
		t.Fatal("Helm is missing: run hack/tools/build.sh helm")
	}
	t.Skip("Helm is missing: run hack/tools/build.sh helm (make check does)")
	return ""
}

// template renders the chart and gives Helm's output or its complaint.
func template(t *testing.T, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	args = append([]string{"template", "quorate", "quorate", "--namespace", "quorate-system"}, args...)
	cmd := exec.CommandContext(t.Context(), helm(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), err == nil
}

// render gives the chart's objects.
func render(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	out, complaint, ok := template(t, args...)
	if !ok {
		t.Fatalf("helm template %v: %s", args, complaint)
	}
	return decode(t, out)
}

func decode(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	d := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		switch err := d.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return objects
		case err != nil:
			t.Fatal(err)
		case len(o.Object) > 0:
			objects = append(objects, o)
		}
	}
}

func decodeFile(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, string(text))
}

// ofKind gives the objects of a kind.
func ofKind(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	var some []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == kind {
			some = append(some, o)
		}
	}
	return some
}

// one gives the only object of a kind, as the type it is.
func one[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) T {
	t.Helper()
	some := ofKind(objects, kind)
	if len(some) != 1 {
		t.Fatalf("there are %d objects of kind %s, want 1", len(some), kind)
	}
	var typed T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(some[0].Object, &typed, true); err != nil {
		t.Fatal(err)
	}
	return typed
}
