//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api/v1alpha1"
)

// act is something that is done to a cluster while clients use it, perhaps with faults in
// the middle. In the end the history must be linearizable, all that was acknowledged must
// be there, the operator must not have taken a voter that the quorum needed, and one line
// tells how long it took and how long nothing could be written.
type act struct {
	t       *testing.T
	name    string
	faults  []string
	load    *load
	guard   *guard
	witness *witness
	start   time.Duration // by the load's clock
	calm    time.Duration // the longest gap before it
}

// warmUp is how many writes are acknowledged before an act begins.
const warmUp = 200

// smooth is the longest gap in acknowledged writes that an act without a fault may make.
const smooth = time.Second

// begin starts the clients and, when they are at work, the clock.
func begin(t *testing.T, c *v1alpha1.RaftCluster, name string) *act {
	t.Helper()
	a := &act{t: t, name: name, load: startLoad(t, c), guard: startGuard(t, c)}
	a.witness = startWitness(t, a.load.start)
	a.load.awaitWrites(t, warmUp, 60*time.Second)
	before := a.load.now()
	a.load.awaitWrites(t, warmUp, 60*time.Second)
	a.start = a.load.now()
	a.calm, _ = a.load.gap(before, a.start)
	return a
}

// killLeader ends the leader's process by SIGKILL.
func (a *act) killLeader(c *v1alpha1.RaftCluster) {
	a.t.Helper()
	id := leaderOf(a.t, c)
	volume := volumePath(a.t, c, id)
	a.faults = append(a.faults, "leader killed")
	a.guard.lose(func(s *sighting) bool { return s.member == idString(id) })
	killNode(a.t, volume)
}

// killOperator ends the operator's pod at once.
func (a *act) killOperator() {
	a.t.Helper()
	a.faults = append(a.faults, "operator killed")
	killOperator(a.t)
}

// cutPower cuts the power of a node.
func (a *act) cutPower(node string) {
	a.t.Helper()
	a.faults = append(a.faults, "power of a node cut")
	a.guard.lose(func(s *sighting) bool { return s.node == node })
	powerOff(a.t, node)
}

// end stops the clock and judges. No gap between acknowledged writes may be longer than
// the bound and what the machine adds: the gap that there was before the act, or the time
// for which it was held up in this one. 0: any may.
func (a *act) end(bound time.Duration) {
	a.t.Helper()
	end := a.load.now()
	a.load.awaitWrites(a.t, 50, 60*time.Second)
	gap, at := a.load.gap(a.start, a.load.now())
	a.load.finish(a.t)
	least := a.guard.finish(a.t)
	machine := max(a.calm, a.witness.heldUp(at, at+gap))
	if bound > 0 && gap > bound+machine {
		a.t.Errorf("no write was acknowledged for %v, %v after the beginning, want at most %v; the machine adds %v", gap, at-a.start, bound, machine)
	}
	a.report(end-a.start, gap, machine, least)
}

func (a *act) report(took, gap, machine time.Duration, least string) {
	fault, verdict := strings.Join(a.faults, ", "), "linearizable, nothing lost"
	if fault == "" {
		fault = "none"
	}
	if a.t.Failed() {
		verdict = "FAILED"
	}
	line := fmt.Sprintf("%-42s  fault: %-34s %6.1f s  longest gap %5.2f s (the machine's: %4.2f s)  %6d ops, %6d writes  fewest voters %-6s  %s",
		a.name, fault, took.Seconds(), gap.Seconds(), machine.Seconds(), a.load.size(), a.load.writes(), least, verdict)
	a.t.Log(line)
	acts = append(acts, line)
}

// acts are the lines of all acts of this run.
var acts []string

// reportActs prints the lines, and keeps them in dist/e2e-acts.txt.
func reportActs() error {
	if len(acts) == 0 {
		return nil
	}
	text := strings.Join(acts, "\n") + "\n"
	fmt.Printf("acts under load:\n%s", text)
	dir := filepath.Join("..", "..", "dist")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "e2e-acts.txt"), []byte(text), 0o644)
}
