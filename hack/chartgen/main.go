package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	from := flag.String("config", "config", "folder of the kustomizations, which controller-gen writes into")
	to := flag.String("chart", "charts/quorate", "folder of the chart")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "chartgen:", err)
		os.Exit(1)
	}
}

// run writes every output whose text differs from what is there.
func run(config, chart string) error {
	files, err := outputs(config)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(chart, "templates", name)
		if old, err := os.ReadFile(path); err == nil && string(old) == text {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// outputs gives the text of each generated template by its file name.
func outputs(config string) (map[string]string, error) {
	names, err := filepath.Glob(filepath.Join(config, "crd", "bases", "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no CRD in %s/crd/bases: run controller-gen first (make generate does)", config)
	}
	slices.Sort(names)
	var crds []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		crds = append(crds, string(text))
	}
	role, err := os.ReadFile(filepath.Join(config, "rbac", "role.yaml"))
	if err != nil {
		return nil, err
	}
	election, err := os.ReadFile(filepath.Join(config, "rbac", "leader_election_role.yaml"))
	if err != nil {
		return nil, err
	}
	crdText, err := crdTemplate(crds)
	if err != nil {
		return nil, err
	}
	ruleText, err := ruleTemplate(role, election)
	if err != nil {
		return nil, err
	}
	return map[string]string{"crds.yaml": crdText, "_rules.tpl": ruleText}, nil
}
