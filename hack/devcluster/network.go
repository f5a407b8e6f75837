//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// Node 0 holds the bridge fabric, whose address is the node's own. Every other node i has
// one end of a pair, eth0; the other end, link<i>, is on the bridge.
const fabric = "fabric"

func uplink(i int) string { return fmt.Sprintf("link%d", i) }

// connect sets up the network of node i, whose first process is pid.
func connect(s *settings, i, pid int) error {
	// Netfilter sees the bridge's frames, so that the answer of a Service's pod on the
	// client's own node is translated on its way back.
	if err := ipBatch(pid, []string{
		"link set lo up",
		"link add cni0 type bridge nf_call_iptables 1",
		fmt.Sprintf("addr add %s.%d.1/24 dev cni0", podNetwork, i),
		"link set cni0 up",
	}); err != nil {
		return err
	}
	if i != 0 {
		return attach(s, i, pid)
	}
	if err := makeFabric(pid); err != nil {
		return err
	}
	// The pairs went with the old bridge: nodes that ran on while node 0 was away get new ones.
	for _, j := range s.running() {
		if j == 0 {
			continue
		}
		other, err := s.initProcess(j)
		if err != nil {
			return err
		}
		if err := attach(s, j, other); err != nil {
			return err
		}
	}
	return nil
}

// makeFabric makes the bridge in node 0. A bridge without a running link is down, so it holds a pair
// with both ends in node 0.
func makeFabric(pid int) error {
	return ipBatch(pid, append([]string{
		"link add " + fabric + " type bridge",
		fmt.Sprintf("addr add %s/24 dev %s", nodeIP(0), fabric),
		"link add link0 type veth peer name link0p",
		"link set link0 master " + fabric,
		"link set link0 up", "link set link0p up", "link set " + fabric + " up",
	}, routes(0, fabric)...))
}

// attach links a node to the fabric, whatever link it had before.
func attach(s *settings, i, pid int) error {
	first, err := s.initProcess(0)
	if err != nil {
		return fmt.Errorf("%s is linked through %s: %w", nodeName(i), nodeName(0), err)
	}
	// After a power cut of either node, its end may not have gone yet, or not the other.
	_ = ipBatch(first, []string{"link del " + uplink(i)})
	_ = ipBatch(pid, []string{"link del eth0"})
	if err := ipBatch(first, []string{
		fmt.Sprintf("link add %s type veth peer name eth0 netns /proc/%d/ns/net", uplink(i), pid),
		fmt.Sprintf("link set %s master %s", uplink(i), fabric),
		fmt.Sprintf("link set %s up", uplink(i)),
	}); err != nil {
		return err
	}
	return ipBatch(pid, append([]string{
		fmt.Sprintf("addr add %s/24 dev eth0", nodeIP(i)),
		"link set eth0 up",
	}, routes(i, "eth0")...))
}

// routes leads to the pods of every other node. Nothing listens beyond the fabric: the default
// route is there for programs that look for one.
func routes(i int, dev string) []string {
	r := []string{"route add default dev " + dev}
	for j := range maxNodes {
		if j != i {
			r = append(r, fmt.Sprintf("route add %s via %s", podSubnet(j), nodeIP(j)))
		}
	}
	return r
}

// ipBatch runs commands of ip(8) in the network namespace of a process.
func ipBatch(pid int, commands []string) error {
	cmd := exec.Command("nsenter", "--net=/proc/"+strconv.Itoa(pid)+"/ns/net", "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("setting up links: %w: %s", err, lastLines(string(out), 3))
	}
	return nil
}
