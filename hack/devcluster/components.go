//go:build linux

package main

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"text/template"
)

//go:embed templates
var templates embed.FS

// plane says where the components of a control plane listen.
type plane struct {
	address    string // of the API server
	advertise  string
	port       int
	etcdPort   int    // its peer port is the next one
	services   string // CIDR
	controller int    // port of the controller manager
	nodes      bool   // there are kubelets
}

func nodePlane(*settings) plane {
	return plane{address: "0.0.0.0", advertise: nodeIP(0), port: apiPort, etcdPort: 2379, services: serviceCIDR, controller: 10257, nodes: true}
}

// etcd does not wait for the disk: a kill leaves what was written to the kernel, and this is no machine to keep data on.
func (p plane) etcd(s *settings) []string {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", p.etcdPort), fmt.Sprintf("http://127.0.0.1:%d", p.etcdPort+1)
	return []string{
		s.bin("etcd"), "--data-dir", s.state("etcd"), "--unsafe-no-fsync", "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
	}
}

func (p plane) apiServer(s *settings) []string {
	args := []string{
		s.bin("kube-apiserver"),
		"--etcd-servers", fmt.Sprintf("http://127.0.0.1:%d", p.etcdPort),
		"--service-cluster-ip-range", p.services,
		"--bind-address", p.address, "--secure-port", fmt.Sprint(p.port), "--advertise-address", p.advertise,
		"--client-ca-file", s.pki("ca.crt"),
		"--tls-cert-file", s.pki("apiserver.crt"), "--tls-private-key-file", s.pki("apiserver.key"),
		"--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file", s.pki("sa.pub"), "--service-account-signing-key-file", s.pki("sa.key"),
		"--requestheader-client-ca-file", s.pki("front-proxy-ca.crt"), "--requestheader-allowed-names", "front-proxy-client",
		"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"--proxy-client-cert-file", s.pki("front-proxy-client.crt"), "--proxy-client-key-file", s.pki("front-proxy-client.key"),
	}
	if !p.nodes {
		return append(args, "--authorization-mode", "RBAC", "--endpoint-reconciler-type", "none")
	}
	return append(args,
		"--kubelet-client-certificate", s.pki("apiserver-kubelet-client.crt"), "--kubelet-client-key", s.pki("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority", s.pki("ca.crt"), "--kubelet-preferred-address-types", "InternalIP",
		"--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction", "--allow-privileged=true",
		// Pods leave a dead node after seconds, not after five minutes.
		"--default-not-ready-toleration-seconds", "10", "--default-unreachable-toleration-seconds", "10",
		// A webhook is called at its pod: its Service's rules may come a moment later.
		"--enable-aggregator-routing=true")
}

func (p plane) controllerManager(s *settings) []string {
	args := []string{
		s.bin("kube-controller-manager"), "--kubeconfig", s.pki("kube-controller-manager.kubeconfig"),
		"--leader-elect=false", "--use-service-account-credentials",
		"--root-ca-file", s.pki("ca.crt"), "--service-account-private-key-file", s.pki("sa.key"),
		"--cluster-signing-cert-file", s.pki("ca.crt"), "--cluster-signing-key-file", s.pki("ca.key"),
		"--bind-address", "127.0.0.1", "--secure-port", fmt.Sprint(p.controller),
	}
	if !p.nodes {
		return args
	}
	return append(args, "--node-monitor-grace-period", "12s", "--node-monitor-period", "2s")
}

func kubeletCommand(s *settings, i int) []string {
	return []string{
		s.bin("kubelet"), "--config", s.node(i, "kubelet.yaml"), "--kubeconfig", s.pki("kubelet-" + nodeName(i) + ".kubeconfig"),
		"--hostname-override", nodeName(i), "--node-ip", nodeIP(i), "--v", "2",
		"--node-labels", fmt.Sprintf("topology.kubernetes.io/region=devcluster,topology.kubernetes.io/zone=zone-%d", i),
	}
}

// nodeConfig is what the templates of a node's configuration files may name.
type nodeConfig struct {
	Name, IP, Cgroup, DNS, PKI, Dir, Pods, AllPods, Plugins string
}

// writeConfig writes the configuration files of node i.
func writeConfig(s *settings, i int) error {
	c := nodeConfig{
		Name: nodeName(i), IP: nodeIP(i), Cgroup: s.nodeCgroup(i), DNS: dnsServiceIP, PKI: s.state("pki"),
		Dir: s.node(i), Pods: podSubnet(i), AllPods: podNetwork + ".0.0/16", Plugins: cniDir(),
	}
	for name, path := range map[string]string{
		"containerd.toml": s.node(i, "containerd.toml"),
		"cni.conflist":    s.node(i, "cni", "10-devcluster.conflist"),
		"kubelet.yaml":    s.node(i, "kubelet.yaml"),
		"kube-proxy.yaml": s.node(i, "kube-proxy.yaml"),
		"resolv.conf":     s.node(i, "resolv.conf"),
	} {
		b, err := render(name, c)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func render(name string, data any) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, data)
	return b.Bytes(), err
}
