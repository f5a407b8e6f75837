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
	full := func(p *progress.Progress) { replicate(p); p.Sent(5, 10); p.Sent(6, 10) }
	cases := []struct {
		name string
		do   func(*progress.Progress)
		want view
	}{
		{"a new one probes", func(*progress.Progress) {}, view{progress.Probe, 0, 5, 0, true}},
		{"a probe has one request out", func(p *progress.Progress) { p.Sent(5, 10) }, view{progress.Probe, 0, 5, 0, false}},
		{"an answer below the probe lets it repeat", func(p *progress.Progress) { p.Sent(5, 10); p.Acknowledged(2) }, view{progress.Probe, 2, 5, 0, true}},
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
		{"a new life voids what was known", func(p *progress.Progress) { full(p); p.Reset(3, 1, false) }, view{progress.Probe, 0, 3, 0, false}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := progress.New(2, 5, progress.Window{Requests: 2})
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

// answer is one from a life, echoing a round.
type answer struct {
	incarnation protocol.Incarnation
	boot        protocol.Boot
	round       uint64
}

func TestLives(t *testing.T) {
	p := progress.New(2, 5, progress.Window{Requests: 2})
	round := uint64(0)
	for i, s := range []struct {
		answer
		want progress.Life
	}{
		{answer{1, 10, 0}, progress.SameLife}, // the first that is heard
		{answer{1, 10, 0}, progress.SameLife},
		{answer{1, 11, 0}, progress.NewLife}, // restarted: round 1 begins
		{answer{1, 10, 0}, progress.PastLife},
		{answer{1, 11, 0}, progress.PastLife}, // not proved yet
		{answer{1, 11, 1}, progress.SameLife},
		{answer{2, 12, 1}, progress.NewLife}, // a new volume: round 2
		{answer{1, 11, 1}, progress.PastLife},
		{answer{2, 12, 2}, progress.SameLife},
	} {
		got := p.Answered(s.incarnation, s.boot, s.round)
		if got != s.want {
			t.Errorf("step %d: %+v: life %d, want %d", i, s.answer, got, s.want)
		}
		if got == progress.NewLife {
			round++
			p.Reset(1, round, false)
		}
	}
}

// TestLateAnswerOfAnUnheardLife is a follower that was restarted before it was first
// heard: the late answer of its earlier life must not shut out the present one.
func TestLateAnswerOfAnUnheardLife(t *testing.T) {
	p := progress.New(2, 5, progress.Window{Requests: 2})
	p.Answered(1, 11, 0)
	if got := p.Answered(1, 10, 0); got != progress.NewLife {
		t.Fatalf("the late answer: life %d", got)
	}
	p.Reset(1, 1, false)
	if got := p.Answered(1, 11, 1); got != progress.NewLife {
		t.Fatalf("the present life answers the request of round 1: life %d", got)
	}
	p.Reset(1, 2, false)
	if got := p.Answered(1, 10, 0); got != progress.PastLife {
		t.Errorf("another late answer: life %d", got)
	}
	if got := p.Answered(1, 11, 2); got != progress.SameLife {
		t.Errorf("the present life answers the request of round 2: life %d", got)
	}
}
