package progress_test

import (
	"testing"

	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
)

// view is what can be seen of a Progress.
type view struct {
	state    progress.State
	match    protocol.Index
	next     protocol.Index
	inflight int
	canSend  bool
}

func TestTransitions(t *testing.T) {
	replicate := func(p *progress.Progress) { p.Acknowledged(4) }
	full := func(p *progress.Progress) { replicate(p); p.Sent(5); p.Sent(6) }
	cases := []struct {
		name string
		do   func(*progress.Progress)
		want view
	}{
		{"a new one probes", func(*progress.Progress) {}, view{progress.Probe, 0, 5, 0, true}},
		{"a probe has one request out", func(p *progress.Progress) { p.Sent(5) }, view{progress.Probe, 0, 5, 0, false}},
		{"an answer below the probe lets it repeat", func(p *progress.Progress) { p.Sent(5); p.Acknowledged(2) }, view{progress.Probe, 2, 5, 0, true}},
		{"an answer that covers it ends the probe", replicate, view{progress.Replicate, 4, 5, 0, true}},
		{"the window fills", full, view{progress.Replicate, 4, 7, 2, false}},
		{"an acknowledgement opens it", func(p *progress.Progress) { full(p); p.Acknowledged(5) }, view{progress.Replicate, 5, 7, 1, true}},
		{"a later one covers earlier ones", func(p *progress.Progress) { full(p); p.Acknowledged(6) }, view{progress.Replicate, 6, 7, 0, true}},
		{"a late one changes nothing", func(p *progress.Progress) { full(p); p.Acknowledged(3) }, view{progress.Replicate, 4, 7, 2, false}},
		{"a refusal steps back", func(p *progress.Progress) { p.Rejected(4, 3) }, view{progress.Probe, 0, 3, 0, true}},
		{"at least one step", func(p *progress.Progress) { p.Rejected(4, 9) }, view{progress.Probe, 0, 4, 0, true}},
		{"never below match", func(p *progress.Progress) { full(p); p.Rejected(6, 2) }, view{progress.Probe, 4, 5, 0, true}},
		{"a refusal below match is late", func(p *progress.Progress) { full(p); p.Rejected(4, 2) }, view{progress.Replicate, 4, 7, 2, false}},
		{"a probe ignores a refusal of another request", func(p *progress.Progress) { p.Rejected(3, 2) }, view{progress.Probe, 0, 5, 0, true}},
		{"a broken connection loses what is out", func(p *progress.Progress) { full(p); p.Lost() }, view{progress.Probe, 4, 5, 0, false}},
		{"a snapshot holds everything", func(p *progress.Progress) { full(p); p.NeedSnapshot() }, view{progress.Snapshot, 4, 7, 0, false}},
		{"and ends in a probe after it", func(p *progress.Progress) { p.NeedSnapshot(); p.SnapshotDone(9) }, view{progress.Probe, 0, 9, 0, true}},
		{"a failed one can wait", func(p *progress.Progress) { p.NeedSnapshot(); p.SnapshotDone(1); p.Pause() }, view{progress.Probe, 0, 1, 0, false}},
		{"a new life voids what was known", func(p *progress.Progress) { full(p); p.Reset(3, false) }, view{progress.Probe, 0, 3, 0, true}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := progress.New(2, 5, 2)
			c.do(&p)
			if got := (view{p.State(), p.Match, p.Next, p.Inflight(), p.CanSend()}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if err := p.CheckInvariants(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLives(t *testing.T) {
	p := progress.New(2, 5, 2)
	steps := []struct {
		incarnation protocol.Incarnation
		boot        protocol.Boot
		want        progress.Life
	}{
		{1, 10, progress.SameLife}, // the first that is heard
		{1, 10, progress.SameLife},
		{1, 11, progress.NewLife}, // restarted
		{1, 10, progress.PastLife},
		{1, 11, progress.SameLife},
		{2, 12, progress.NewLife}, // a new volume
		{1, 11, progress.PastLife},
		{1, 10, progress.PastLife},
		{2, 12, progress.SameLife},
	}
	for i, s := range steps {
		if got := p.Answered(s.incarnation, s.boot); got != s.want {
			t.Errorf("step %d: incarnation %d, boot %d: life %d, want %d", i, s.incarnation, s.boot, got, s.want)
		}
	}
}
