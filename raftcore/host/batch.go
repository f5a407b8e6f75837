package host

import (
	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/session"
)

// batch is what one call of the state machine's Apply takes and gives. Its slices are used
// again and again.
type batch struct {
	commands []machine.Command
	results  []machine.Result
	replies  []uint64 // request to answer with results[i], 0: none

	executed []execution // the commands in sessions
	told     []told      // who gets something else than a result of this batch
}

// execution is a command in a session that is executed.
type execution struct {
	at             int // in the batch
	client, serial uint64
}

type told struct {
	request uint64
	outcome outcome
}

func (b *batch) reset() {
	clear(b.told)
	b.commands, b.replies = b.commands[:0], b.replies[:0]
	b.executed, b.told = b.executed[:0], b.told[:0]
}

func (b *batch) add(e protocol.Entry, payload []byte, reply uint64, discard bool) {
	b.commands = append(b.commands, machine.Command{Index: e.Index, Term: e.Term, Payload: payload, Discard: discard})
	b.replies = append(b.replies, reply)
}

// tell lets the request have the outcome once the batch is applied.
func (b *batch) tell(request uint64, o outcome) {
	if request != 0 {
		b.told = append(b.told, told{request, o})
	}
}

// take fills the batch from the entries, and gives how many of them it took: a duplicate
// of a command in the batch waits until that one is executed.
func (a *applier) take(entries []protocol.Entry) (int, error) {
	a.batch.reset()
	for i, e := range entries {
		switch e.Kind {
		case protocol.EntryCommand:
			if more, err := a.takeCommand(e); err != nil || !more {
				return i, err
			}
		case protocol.EntrySession:
			if err := a.takeChange(e); err != nil {
				return i, err
			}
		}
	}
	return len(entries), nil
}

// takeCommand reports false when what is in the batch must be executed first.
func (a *applier) takeCommand(e protocol.Entry) (bool, error) {
	c, err := a.serializer.DecodeCommand(codec.Encoded{Bytes: e.Payload})
	if err != nil {
		return false, err
	}
	reply := a.reply(c.ReplyTo)
	if c.Client == 0 {
		a.batch.add(e, c.Payload, reply, reply == 0)
		return true, nil
	}
	if err := a.state.takesSessions(); err != nil {
		return false, err
	}
	switch v := a.state.table.Take(e.Index, c.Client, c.Serial); v {
	case session.Pending:
		return false, nil
	case session.Execute:
		a.batch.executed = append(a.batch.executed, execution{len(a.batch.commands), c.Client, c.Serial})
		a.batch.add(e, c.Payload, reply, false)
	case session.Repeat:
		if reply != 0 {
			o, err := a.state.again(c.Client)
			a.batch.tell(reply, o)
			return true, err
		}
	default:
		a.batch.tell(reply, outcome{err: v.Err()})
	}
	return true, nil
}

// reply gives the request of this member that waits, 0 when another member is meant.
func (a *applier) reply(to protocol.ReplyTo) uint64 {
	if to.Member != a.self {
		return 0
	}
	return to.Request
}

// again gives the first answer to a client's last command.
func (s *state) again(client uint64) (outcome, error) {
	kept := s.table.Answer(client)
	if kept.TooLarge {
		return outcome{err: session.ErrAnswerTooLarge}, nil
	}
	r, err := s.results.DecodeResult(kept.Data)
	return outcome{result: r}, err
}

// takeChange opens, keeps and expires sessions.
func (a *applier) takeChange(e protocol.Entry) error {
	c, err := a.serializer.DecodeSessionChange(codec.Encoded{Bytes: e.Payload})
	if err != nil {
		return err
	}
	if err := a.state.takesSessions(); err != nil {
		return err
	}
	if c.Op == protocol.SessionClock && a.localClock != nil {
		c.Clock = a.localClock()
	}
	opened, unknown := a.state.table.Change(e.ID(), c)
	a.sessions.Store(int64(a.state.table.Len()))
	a.batch.tell(a.reply(c.ReplyTo), outcome{result: machine.Result{Value: changed{opened, unknown}}})
	return nil
}

// changed is what a member is told that has changed sessions.
type changed struct {
	opened  uint64   // the client
	unknown []uint64 // clients whose sessions were not there to be kept
}

// execute lets the state machine apply the batch's commands, and keeps the answers to those
// in sessions.
func (a *applier) execute() error {
	b, s := &a.batch, a.state
	if cap(b.results) < len(b.commands) {
		b.results = make([]machine.Result, len(b.commands), maxApplyBatch)
	}
	b.results = b.results[:len(b.commands)]
	clear(b.results)
	if s.keeper != nil && s.table.Changed() {
		return s.keeper.ApplyAndKeep(b.commands, b.results, func() ([]machine.Record, error) {
			if err := a.keepAnswers(); err != nil {
				return nil, err
			}
			return s.keep()
		})
	}
	if len(b.commands) > 0 {
		if err := s.machine.Apply(b.commands, b.results); err != nil {
			return err
		}
	}
	return a.keepAnswers()
}

// keepAnswers puts the answers of the batch into the table. A client whose answer is too
// large is told the same as one that asks again.
func (a *applier) keepAnswers() error {
	b := &a.batch
	for _, x := range b.executed {
		answer, err := a.state.results.EncodeResult(b.results[x.at])
		if err != nil {
			return err
		}
		if a.state.table.Executed(x.client, x.serial, answer).TooLarge {
			b.tell(b.replies[x.at], outcome{err: session.ErrAnswerTooLarge})
			b.replies[x.at] = 0
		}
	}
	return nil
}
