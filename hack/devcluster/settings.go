//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// The addresses exist only inside the nodes' network namespaces, so that two clusters may use the same.
const (
	maxNodes     = 9
	nodeNetwork  = "10.199.0"     // node i has nodeNetwork.(i+1)
	podNetwork   = "10.244"       // node i gives its pods podNetwork.i.0/24
	serviceCIDR  = "10.96.0.0/16" // the first address is the API server's
	apiServiceIP = "10.96.0.1"
	dnsServiceIP = "10.96.0.10"
	apiPort      = 6443
	firstPort    = 16443 // on 127.0.0.1: the first free port from here leads to the API server
)

// settings says where things are. The paths are absolute.
type settings struct {
	Name   string // of the cluster
	Cache  string // what is built, shared by all clusters
	Source string // hack/devcluster in the repository
	Port   int    // on 127.0.0.1
}

var nameRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// newSettings reads the environment. Port is 0 until the cluster was up once.
func newSettings(name string) (settings, error) {
	if !nameRule.MatchString(name) {
		return settings{}, fmt.Errorf("cluster name %q: use up to 32 small letters, digits and dashes", name)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return settings{}, err
	}
	cache = cmp.Or(os.Getenv("QUORATE_CACHE"), filepath.Join(cache, "quorate"))
	source, err := filepath.Abs(cmp.Or(os.Getenv("DEVCLUSTER_SOURCE"), filepath.Join("hack", "devcluster")))
	if err != nil {
		return settings{}, err
	}
	s := settings{Name: name, Cache: filepath.Join(cache, "devcluster"), Source: source}
	if s.Cache, err = filepath.Abs(s.Cache); err != nil {
		return settings{}, err
	}
	return s, s.recall()
}

// recall fills in what remember kept.
func (s *settings) recall() error {
	b, err := os.ReadFile(s.state("settings.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept settings
	if err := json.Unmarshal(b, &kept); err != nil {
		return fmt.Errorf("%s is damaged (%w): run \"devcluster down\"", s.state("settings.json"), err)
	}
	s.Port = kept.Port
	return nil
}

// remember keeps the settings for the first process of each node, and for later calls.
func (s *settings) remember() error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.state(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.state("settings.json"), b, 0o644)
}

func (s *settings) bin(elem ...string) string {
	return filepath.Join(append([]string{s.Cache, "bin"}, elem...)...)
}

func (s *settings) images(elem ...string) string {
	return filepath.Join(append([]string{s.Cache, "images"}, elem...)...)
}

// state holds all that belongs to one cluster.
func (s *settings) state(elem ...string) string {
	return filepath.Join(append([]string{s.Cache, "clusters", s.Name}, elem...)...)
}

func (s *settings) node(i int, elem ...string) string {
	return s.state(append([]string{fmt.Sprintf("n%d", i)}, elem...)...)
}

func (s *settings) pki(file string) string { return s.state("pki", file) }
func (s *settings) kubeconfig() string     { return s.state("kubeconfig") }
func (s *settings) apiURL() string         { return fmt.Sprintf("https://127.0.0.1:%d", s.Port) }
func (s *settings) insideURL() string      { return fmt.Sprintf("https://%s:%d", nodeIP(0), apiPort) }

func (s *settings) nodeCgroup(i int) string { return fmt.Sprintf("%s/%s/n%d", cgroupParent, s.Name, i) }
func nodeName(i int) string                 { return fmt.Sprintf("node-%d", i) }
func nodeIP(i int) string                   { return fmt.Sprintf("%s.%d", nodeNetwork, i+1) }
func podSubnet(i int) string                { return fmt.Sprintf("%s.%d.0/24", podNetwork, i) }
