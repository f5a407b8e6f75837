//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"strings"
)

// isolate cuts node i off from every other node, as if its cable were pulled. Its pods go on.
func isolate(s *settings, i int) error {
	return setLink(s, i, "down")
}

func setLink(s *settings, i int, state string) error {
	if i == 0 {
		return fmt.Errorf("%s holds the API server and the links of all others: cut another node off", nodeName(0))
	}
	if _, err := s.initProcess(i); err != nil {
		return fmt.Errorf("%s: %w", nodeName(i), err)
	}
	first, err := s.initProcess(0)
	if err != nil {
		return fmt.Errorf("%s: %w", nodeName(0), err)
	}
	return ipBatch(first, []string{fmt.Sprintf("link set %s %s", uplink(i), state)})
}

// The table holds pairs of addresses between which no packet passes. The family inet sees
// packets between nodes, and bridge those between pods of one node.
const (
	cutTable = "devcluster_cut"
	cutRules = `table %[1]s ` + cutTable + ` {
	set pairs { type ipv4_addr . ipv4_addr; }
	chain forward { type filter hook forward priority -10; }
}
flush chain %[1]s ` + cutTable + ` forward
add rule %[1]s ` + cutTable + ` forward ip saddr . ip daddr @pairs drop
add element %[1]s ` + cutTable + ` pairs { %[2]s . %[3]s, %[3]s . %[2]s }
`
)

// cut drops every packet between two pods, either way; everything else goes on, the kubelets' probes too.
// A pod is POD, NAMESPACE/POD or an address. A node that restarts forgets its cuts.
func cut(s *settings, a, b string) error {
	from, err := s.podIP(a)
	if err != nil {
		return err
	}
	to, err := s.podIP(b)
	if err != nil {
		return err
	}
	for _, i := range s.running() {
		for _, family := range []string{"inet", "bridge"} {
			cmd, err := s.inNode(i, "nft", "-f", "-")
			if err != nil {
				return err
			}
			cmd.Stdin = strings.NewReader(fmt.Sprintf(cutRules, family, from, to))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("cutting %s from %s on %s: %w: %s", a, b, nodeName(i), err, lastLines(string(out), 3))
			}
		}
	}
	return nil
}

// heal undoes every cut and links every isolated node again.
func heal(s *settings) error {
	for _, i := range s.running() {
		for _, family := range []string{"inet", "bridge"} {
			cmd, err := s.inNode(i, "nft", "-f", "-")
			if err != nil {
				return err
			}
			// Added first, so that there is always a table to delete.
			cmd.Stdin = strings.NewReader(fmt.Sprintf("add table %[1]s %[2]s\ndelete table %[1]s %[2]s\n", family, cutTable))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("healing %s: %w: %s", nodeName(i), err, lastLines(string(out), 3))
			}
		}
		if i != 0 {
			if err := setLink(s, i, "up"); err != nil {
				return err
			}
		}
	}
	return nil
}

// podIP resolves POD, NAMESPACE/POD or an address.
func (s *settings) podIP(pod string) (string, error) {
	if a, err := netip.ParseAddr(pod); err == nil {
		if !a.Is4() {
			return "", fmt.Errorf("%s: the pods of a devcluster have IPv4 addresses", pod)
		}
		return pod, nil
	}
	namespace, name, found := strings.Cut(pod, "/")
	if !found {
		namespace, name = "default", pod
	}
	out, err := s.kubectl("-n", namespace, "get", "pod", name, "-o", "jsonpath={.status.podIP}").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pod %s in namespace %s: %w: %s", name, namespace, err, lastLines(string(out), 3))
	}
	if len(out) == 0 {
		return "", fmt.Errorf("pod %s in namespace %s has no address yet", name, namespace)
	}
	return string(out), nil
}
