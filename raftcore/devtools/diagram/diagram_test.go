package diagram

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/replica"
)

var update = flag.Bool("update", false, "write the golden files")

// TestMermaid draws an election and a write, in which a message to a follower is lost.
func TestMermaid(t *testing.T) {
	c, err := sim.New(sim.Calm(7, 3))
	if err != nil {
		t.Fatal(err)
	}
	var events []pauser.Event
	c.Watch(func(e pauser.Event) { events = append(events, e) })
	run := func(until pauser.Condition) pauser.Event {
		t.Helper()
		e, err := c.Run(until, sim.Second)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	leader := run(pauser.Becomes(pauser.Any, replica.Leader)).Member
	run(pauser.AppliedReaches(leader, 1))
	lagging := leader%3 + 1
	c.Cut(leader, lagging)
	c.Propose(leader)
	run(pauser.AppliedReaches(leader, 2))
	c.Heal()
	run(pauser.AppliedReaches(lagging, 2))

	const golden = "testdata/election_and_write.mmd"
	got := Mermaid(events)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the diagram has changed; if that is right run the test with -update (-want +got):\n%s", d)
	}
}
