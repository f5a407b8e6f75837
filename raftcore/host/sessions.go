package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Session makes commands take effect exactly once, through any faults (paper section 8,
// thesis section 6.3). It is used by one goroutine at a time.
type Session struct {
	h      *Host
	client uint64
	busy   atomic.Bool  // a command is in flight
	used   atomic.Int64 // when a sign of life was given last; Unix nanoseconds
	gone   atomic.Bool  // the group has said that it has expired

	// Of whoever has set busy.
	serial     uint64 // of the last command
	unanswered []byte // that command, while it has no answer
}

// OpenSession opens a session, which this host keeps alive until Close or Release. The
// error is ctx's, or says what the state machine lacks, or that the host has ended.
func (h *Host) OpenSession(ctx context.Context) (*Session, error) {
	if err := h.applier.state.takesSessions(); err != nil {
		return nil, err
	}
	var c changed
	err := h.insist(ctx, func(ctx context.Context) error {
		var err error
		c, err = h.proposeChange(ctx, protocol.SessionChange{
			Op: protocol.SessionOpen, Timeout: uint64(h.opts.SessionTimeout.Milliseconds()),
			MaxSessions: uint64(h.opts.MaxSessions), MaxAnswer: uint64(h.opts.MaxAnswerBytes),
		})
		return err
	})
	if err != nil {
		return nil, err // if a session was opened nevertheless, it expires unused
	}
	s := &Session{h: h, client: c.opened}
	s.alive()
	if err := h.sessions.keep(s); err != nil {
		return nil, err
	}
	return s, nil
}

// Client gives the number by which the group knows the session, for ProposeInSession.
func (s *Session) Client() uint64 { return s.client }

func (s *Session) alive() { s.used.Store(time.Now().UnixNano()) }

// Propose replicates the payload and gives the state machine's result. It sends the command
// again until it is answered: it takes effect once. When ctx ends before, the error tells why
// nobody took it lately, as ErrDiskFull; the command may still take effect, and the next Propose begins by seeing it through; only then is
// its own command sent. Further errors: ErrSessionBusy, ErrSessionExpired,
// ErrAnswerTooLarge, ErrTooLarge, and that the host has ended.
func (s *Session) Propose(ctx context.Context, payload []byte) (machine.Result, error) {
	if err := s.h.checkSize(payload); err != nil {
		return machine.Result{}, err
	}
	if !s.busy.CompareAndSwap(false, true) {
		return machine.Result{}, ErrSessionBusy
	}
	defer s.busy.Store(false)
	if s.unanswered != nil {
		if _, err := s.seeThrough(ctx); err != nil && !errors.Is(err, ErrAnswerTooLarge) {
			return machine.Result{}, fmt.Errorf("the command was not sent, as the one before it in the session has no answer: %w", err)
		}
	}
	s.serial++
	s.unanswered = append([]byte{}, payload...)
	return s.seeThrough(ctx)
}

// seeThrough sends the last command until there is an answer.
func (s *Session) seeThrough(ctx context.Context) (r machine.Result, err error) {
	err = s.h.insist(ctx, func(ctx context.Context) (err error) {
		r, err = s.h.ProposeInSession(ctx, s.client, s.serial, s.unanswered)
		return err
	})
	if errors.Is(err, ErrSessionExpired) {
		s.gone.Store(true)
	}
	if err == nil || errors.Is(err, ErrAnswerTooLarge) {
		s.unanswered = nil
		s.alive()
	}
	return r, err
}

// Release ends the keeping alive. Whoever goes on with the session knows its client number
// and its serials, and calls ProposeInSession and KeepSessions.
func (s *Session) Release() { s.h.sessions.release(s.client) }

// Close ends the session in the whole group.
func (s *Session) Close(ctx context.Context) error {
	s.Release()
	return s.h.insist(ctx, func(ctx context.Context) error {
		_, err := s.h.proposeChange(ctx, protocol.SessionChange{Op: protocol.SessionExpire, Clients: []uint64{s.client}})
		return err
	})
}

// ProposeInSession replicates a command that its client has given a serial: 1 for the
// first one in the session, and one more for each that follows. The client may send the same
// command again through any member after any error but the following, and has the answer to
// one command before it sends the next. ErrSessionBusy: a command of the session is in flight
// on this member. ErrSessionExpired, ErrSessionStale, ErrSessionGap: it is not executed.
// ErrAnswerTooLarge: it took effect.
func (h *Host) ProposeInSession(ctx context.Context, client, serial uint64, payload []byte) (machine.Result, error) {
	if err := h.checkSize(payload); err != nil {
		return machine.Result{}, err
	}
	if err := h.applier.state.takesSessions(); err != nil {
		return machine.Result{}, err
	}
	if client == 0 {
		return machine.Result{}, ErrSessionExpired
	}
	if !h.sessions.begin(client) {
		return machine.Result{}, ErrSessionBusy
	}
	defer h.sessions.finish(client)
	id := h.requests.Add(1)
	encoded, err := h.opts.Serializer.EncodeCommand(nil, protocol.Command{
		Client: client, Serial: serial, Payload: payload,
		ReplyTo: protocol.ReplyTo{Member: h.opts.ID, Request: id},
	})
	if err != nil {
		return machine.Result{}, err
	}
	return h.submit(ctx, id, protocol.EntryCommand, encoded.Bytes)
}

// KeepSessions gives a sign of life of the clients, and tells which of them have no
// session any more.
func (h *Host) KeepSessions(ctx context.Context, clients ...uint64) (expired []uint64, err error) {
	c, err := h.proposeChange(ctx, protocol.SessionChange{Op: protocol.SessionKeep, Clients: clients})
	return c.unknown, err
}

func (h *Host) proposeChange(ctx context.Context, c protocol.SessionChange) (changed, error) {
	if err := h.applier.state.takesSessions(); err != nil {
		return changed{}, err
	}
	id := h.requests.Add(1)
	c.ReplyTo = protocol.ReplyTo{Member: h.opts.ID, Request: id}
	encoded, err := h.opts.Serializer.EncodeSessionChange(nil, c)
	if err != nil {
		return changed{}, err
	}
	r, err := h.submit(ctx, id, protocol.EntrySession, encoded.Bytes)
	done, _ := r.Value.(changed)
	return done, err
}

// insist calls f until its error would be the same again, or ctx ends: then the error is ctx's
// and, where f has told it, why nobody took what was sent. An attempt that is not answered
// within two election timeouts was lost on its way.
func (h *Host) insist(ctx context.Context, f func(context.Context) error) error {
	var why error
	for pause := h.opts.tick(); ; pause = min(2*pause, h.opts.ElectionTimeout) {
		attempt, cancel := context.WithTimeout(ctx, 2*h.opts.ElectionTimeout)
		err := f(attempt)
		cancel()
		if err == nil || isFinal(err) {
			return err
		}
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			why = err
		}
		if ctx.Err() != nil {
			return givenUp(ctx.Err(), why)
		}
		select {
		case <-ctx.Done():
			return givenUp(ctx.Err(), why)
		case <-h.stop:
			return ErrClosed
		case <-time.After(pause):
		}
	}
}

// givenUp joins the end of a context with the reason of the last refusal; nil: none is known.
func givenUp(end, why error) error {
	if why == nil {
		return end
	}
	return fmt.Errorf("%w; the last refusal: %w", end, why)
}

func isFinal(err error) bool {
	return slices.ContainsFunc([]error{
		ErrSessionBusy, ErrSessionExpired, ErrSessionStale, ErrSessionGap, ErrAnswerTooLarge,
		ErrTooLarge, ErrClosed, ErrFenced, ErrRemoved, errNoResultCodec, errNoKeeper,
	}, func(final error) bool { return errors.Is(err, final) })
}

// sessions are those that this host keeps alive, and the clients whose commands are in
// flight here.
type sessions struct {
	h *Host

	mu       sync.Mutex
	closed   bool
	running  bool // the keeping goroutine
	open     map[uint64]*Session
	inFlight map[uint64]bool
}

func newSessions(h *Host) *sessions {
	return &sessions{h: h, open: make(map[uint64]*Session), inFlight: make(map[uint64]bool)}
}

func (s *sessions) begin(client uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight[client] {
		return false
	}
	s.inFlight[client] = true
	return true
}

func (s *sessions) finish(client uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inFlight, client)
}

// keep begins to keep a session alive.
func (s *sessions) keep(x *Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.open[x.client] = x
	if !s.running {
		s.running = true
		s.h.background.Go(s.run)
	}
	return nil
}

func (s *sessions) release(client uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, client)
}

func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// run keeps alive what is idle, while there are sessions.
func (s *sessions) run() {
	ticker := time.NewTicker(s.h.opts.SessionTimeout / 6)
	defer ticker.Stop()
	for {
		select {
		case <-s.h.stop:
			return
		case <-ticker.C:
		}
		idle, more := s.idle()
		if !more {
			return
		}
		if len(idle) > 0 {
			s.keepIdle(idle)
		}
	}
}

// idle gives the clients that gave no sign of life for a third of the timeout; false when
// there is nobody any more.
func (s *sessions) idle() (clients []uint64, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := time.Now().Add(-s.h.opts.SessionTimeout / 3).UnixNano()
	for client, x := range s.open {
		switch {
		case x.gone.Load():
			delete(s.open, client)
		case x.used.Load() <= before:
			clients = append(clients, client)
		}
	}
	slices.Sort(clients)
	s.running = len(s.open) > 0
	return clients, s.running
}

func (s *sessions) keepIdle(clients []uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), s.h.opts.SessionTimeout/6)
	defer cancel()
	expired, err := s.h.KeepSessions(ctx, clients...)
	if err != nil {
		return // the next tick tries again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, client := range clients {
		if x := s.open[client]; x != nil {
			x.alive()
			x.gone.Store(slices.Contains(expired, client))
		}
	}
}

// clock gives the milliseconds since this member was started.
func (h *Host) clock() uint64 { return uint64(time.Since(h.started).Milliseconds()) }

// readClock proposes what a leader's clock shows, as long as there are sessions: only
// what is in the log lets them expire.
func (h *Host) readClock(now time.Time) {
	if h.State().Role != replica.Leader || h.applier.sessions.Load() == 0 {
		h.read = time.Time{}
		return
	}
	if now.Sub(h.read) < h.opts.SessionTimeout/8 {
		return
	}
	h.read = now
	encoded, err := h.opts.Serializer.EncodeSessionChange(nil, protocol.SessionChange{Op: protocol.SessionClock, Clock: h.clock()})
	if err == nil {
		h.step(replica.Propose{Kind: protocol.EntrySession, Payloads: [][]byte{encoded.Bytes}})
	}
}
