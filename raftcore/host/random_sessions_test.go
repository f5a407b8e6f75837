package host_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/quorate/quorate/raftcore/host"
)

// sessionClient proposes in sessions. After any error it sends the same command again,
// through any member; now and then it sends one again that is answered already. What it
// knows in the end: each command took effect once, where it was told.
func (r *randomRun) sessionClient(c int, random *rand.Rand) {
	s, err := r.openSession(random)
	for n := range r.plan.each / 2 {
		if err != nil {
			r.t.Errorf("session client %d: %v", c, err)
			return
		}
		time.Sleep(upTo(random, r.plan.think))
		payload := fmt.Sprint("session ", c, ".", n)
		r.asked(payload)
		var at int
		switch at, err = r.insist(random, s.client, s.serial+1, payload); {
		case err == nil:
			s.serial++
			r.proposed(payload, at, nil)
			if random.IntN(4) == 0 {
				r.duplicate(random, s, payload, at)
			}
		case errors.Is(err, host.ErrSessionExpired):
			s, err = r.openSession(random) // whether the command took effect is not known
		}
	}
}

// tries is how often a client sends a command, through faults that end.
const tries = 1000

var errNoAnswer = fmt.Errorf("there is no answer after %d tries", tries)

// clientSession is what a client knows of its session.
type clientSession struct{ client, serial uint64 }

// openSession tries members until one opens a session. Some are kept alive by it.
func (r *randomRun) openSession(random *rand.Rand) (clientSession, error) {
	for range tries {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		s, err := r.process(random.IntN(len(r.members))).OpenSession(ctx)
		cancel()
		if err == nil {
			if random.IntN(2) == 0 {
				s.Release()
			}
			return clientSession{client: s.Client()}, nil
		}
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, host.ErrClosed) {
			return clientSession{}, fmt.Errorf("opening a session: %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return clientSession{}, errNoAnswer
}

// insist sends a command through one member after the other until the answer is known.
func (r *randomRun) insist(random *rand.Rand, client, serial uint64, payload string) (at int, err error) {
	for range tries {
		ctx, cancel := context.WithTimeout(context.Background(), upTo(random, 3*time.Second))
		result, err := r.process(random.IntN(len(r.members))).ProposeInSession(ctx, client, serial, []byte(payload))
		cancel()
		switch {
		case err == nil:
			return result.Value.(int), nil
		case errors.Is(err, host.ErrSessionExpired), errors.Is(err, host.ErrSessionGap), errors.Is(err, host.ErrSessionStale), errors.Is(err, host.ErrFenced):
			return 0, err
		}
		time.Sleep(upTo(random, 100*time.Millisecond)) // lost on its way, or refused: it is sent again
	}
	return 0, errNoAnswer
}

// duplicate sends an answered command again, beside all that follows.
func (r *randomRun) duplicate(random *rand.Rand, s clientSession, payload string, at int) {
	on, bound := r.process(random.IntN(len(r.members))), upTo(random, 3*time.Second)
	r.callers.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		result, err := on.ProposeInSession(ctx, s.client, s.serial, []byte(payload))
		if err == nil && result.Value != at {
			r.t.Errorf("%q was answered with %d first, and with %v when it was sent again", payload, at, result.Value)
		}
		if errors.Is(err, host.ErrSessionGap) {
			r.t.Errorf("%q was answered with %d, and is unknown when it is sent again", payload, at)
		}
	})
}
