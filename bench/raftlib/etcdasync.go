package main

import (
	"context"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// runAsync is the loop of the library's documentation for asynchronous storage writes.
func (m *etcdMember) runAsync() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	defer close(m.appendc)
	defer close(m.applyc)
	var out []*raftpb.Message
	for {
		select {
		case <-ticker.C:
			m.node.Tick()
		case rd := <-m.node.Ready():
			m.reads.confirm(rd.ReadStates)
			out = out[:0]
			for _, msg := range rd.Messages {
				switch msg.GetTo() {
				case raft.LocalAppendThread:
					m.appendc <- msg
				case raft.LocalApplyThread:
					m.applyc <- msg
				default:
					out = append(out, msg)
				}
			}
			m.net.send(out)
		case <-m.stop:
			return
		}
	}
}

// runAppend takes all appends that wait, saves them with one sync, and delivers their
// responses.
func (m *etcdMember) runAppend() {
	var batch []*raftpb.Message
	for msg := range m.appendc {
		batch = append(batch[:0], msg)
		for more := true; more; {
			select {
			case next, ok := <-m.appendc:
				if more = ok; ok {
					batch = append(batch, next)
				}
			default:
				more = false
			}
		}
		m.saveAll(batch)
		for _, msg := range batch {
			m.deliver(msg.GetResponses())
		}
		clear(batch)
	}
}

func (m *etcdMember) saveAll(batch []*raftpb.Message) {
	var hard *raftpb.HardState
	var entries []*raftpb.Entry
	for _, msg := range batch {
		if msg.Term != nil {
			hard = &raftpb.HardState{Term: msg.Term, Vote: msg.Vote, Commit: msg.Commit}
		}
		if n := len(entries); n > 0 && len(msg.Entries) > 0 && msg.Entries[0].GetIndex() != entries[n-1].GetIndex()+1 {
			m.save(hard, entries) // they replace what comes before: not in one append
			hard, entries = nil, nil
		}
		entries = append(entries, msg.Entries...)
	}
	m.save(hard, entries)
}

// deliver hands responses to the member itself or to the others.
func (m *etcdMember) deliver(responses []*raftpb.Message) {
	for _, r := range responses {
		if r.GetTo() == m.id {
			m.node.Step(context.Background(), r) //nolint:errcheck // it fails when the node has stopped
		} else {
			m.net.send([]*raftpb.Message{r})
		}
	}
}

func (m *etcdMember) runApplyAsync() {
	for msg := range m.applyc {
		m.configure(msg.Entries)
		m.answer(msg.Entries)
		m.deliver(msg.GetResponses())
	}
}
