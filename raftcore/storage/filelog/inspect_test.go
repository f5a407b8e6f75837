package filelog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/vfs"
)

func inspect(t *testing.T, fs vfs.FS) (Summary, string) {
	t.Helper()
	var out strings.Builder
	sum, err := Inspect(fs, "d", func(r Record) error {
		start := " "
		if r.Start {
			start = "*"
		}
		fmt.Fprintf(&out, "%s%s %d/%d %s\n", start, r.Kind, r.Entry.Term, r.Entry.Index, r.Status)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum, out.String()
}

func TestInspectTellsOfEachRecord(t *testing.T) {
	ts := newTestStore(t)
	ts.append(command(1, 1, 10), command(1, 2, 10), command(1, 3, 10))
	ts.append(command(2, 3, 10))
	if err := ts.Log.Compact(1); err != nil {
		t.Fatal(err)
	}
	ts.append(command(2, 4, 10))
	if err := ts.Votes.Save(protocol.HardState{Term: 2, Vote: 3}); err != nil {
		t.Fatal(err)
	}
	sum, got := inspect(t, ts.fs) // beside the running store
	want := `*head 0/0 own
*mark 0/0 own
*Command 1/1 dropped
 Command 1/2 live
 Command 1/3 dropped
*Command 2/3 live
*base 1/1 own
*Command 2/4 live
`
	// The base and the last entry may have gone into one write.
	got = strings.Replace(got, " Command 2/4", "*Command 2/4", 1)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if len(sum.Damage)+len(sum.Warnings) != 0 || sum.LogErr != nil || sum.Entries != 3 {
		t.Errorf("summary: %+v", sum)
	}
	if d := cmp.Diff(ts.Log.State(), sum.Log); d != "" {
		t.Errorf("state (-want +got):\n%s", d)
	}
	if d := cmp.Diff(crashIdentity, sum.Identity); d != "" || sum.HardState.Vote != 3 {
		t.Errorf("vote %+v, identity (-want +got):\n%s", sum.HardState, d)
	}
}

func TestInspectGoesOnBehindDamage(t *testing.T) {
	ts := newTestStore(t)
	for i := range protocol.Index(3) {
		ts.append(command(1, i+1, 10))
	}
	ts.append(command(1, 4, 600), command(1, 5, 10))
	s := ts.Log.mu.chain[0]
	damaged := ts.fs.Crash(vfs.PowerLoss{})
	flip(t, damaged, s.name, int64(s.offsets[1])+30) // payload of entry 2
	flip(t, damaged, s.name, int64(s.offsets[3])+30) // payload of entry 4, in the last write
	sum, got := inspect(t, damaged)
	want := `*head 0/0 own
*mark 0/0 own
*Command 1/1 live
*Command 1/2 damaged
*Command 1/3 live
*Command 1/4 torn
 Command 1/5 dropped
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if len(sum.Damage) != 1 || len(sum.Warnings) != 1 || sum.LogErr != nil {
		t.Errorf("damage %v, warnings %v, recovery %v", sum.Damage, sum.Warnings, sum.LogErr)
	}
	if d := cmp.Diff([]protocol.EntryID{{Term: 1, Index: 2}}, sum.Repairable); d != "" {
		t.Errorf("what the peers can repair (-want +got):\n%s", d)
	}
	before, err := vfs.ReadFile(damaged, s.name)
	if err != nil {
		t.Fatal(err)
	}
	inspect(t, damaged)
	after, err := vfs.ReadFile(damaged, s.name)
	if err != nil || !cmp.Equal(before, after) {
		t.Errorf("inspect has changed the file: %v", err)
	}
}
