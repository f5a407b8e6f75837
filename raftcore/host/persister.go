package host

import (
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// persister writes in the order in which the loop asks. Entries go straight to the
// log's own queue; a HardState is rare and synchronous, so it and what follows it
// are written by a goroutine that lives as long as there is such work.
type persister struct {
	log    storage.Log
	votes  storage.Votes
	done   func(seq uint64)
	failed func(what string, err error)

	broken bool // a write has failed: nothing is written after it; owned by who calls start

	mu      sync.Mutex
	running bool // drain is at work: only it touches log and votes
	queue   []write
	idle    *sync.Cond
}

// write is one thing to do: hard, entries or both; or reset; or compact.
type write struct {
	seq     uint64
	hard    *protocol.HardState
	entries []protocol.Entry
	reset   *protocol.EntryID
	members []byte // of reset: the configuration as of then, encoded
	then    func() // after reset, in place of done
	compact protocol.Index
}

// blocks reports whether the write may wait for the disk in the caller's goroutine.
func (w write) blocks() bool { return w.hard != nil || w.compact > 0 }

func newPersister(log storage.Log, votes storage.Votes, done func(uint64), failed func(string, error)) *persister {
	p := &persister{log: log, votes: votes, done: done, failed: failed}
	p.idle = sync.NewCond(&p.mu)
	return p
}

// put starts or queues a write. Only the loop calls it.
func (p *persister) put(w write) {
	p.mu.Lock()
	if !p.running && !w.blocks() {
		p.mu.Unlock()
		p.start(w)
		return
	}
	p.queue = append(p.queue, w)
	if !p.running {
		p.running = true
		go p.drain()
	}
	p.mu.Unlock()
}

func (p *persister) drain() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.running = false
			p.idle.Broadcast()
			p.mu.Unlock()
			return
		}
		w := p.queue[0]
		p.queue = p.queue[1:]
		p.mu.Unlock()
		p.start(w)
	}
}

// start begins a write. A write that comes after one that failed must not reach the disk:
// the log may not have entries of a term that was not saved.
func (p *persister) start(w write) {
	if p.broken {
		return
	}
	if w.hard != nil {
		if err := p.votes.Save(*w.hard); err != nil {
			p.broken = true
			p.failed("saving term and vote", err)
			return
		}
	}
	switch {
	case len(w.entries) > 0:
		p.append(w.seq, w.entries)
	case w.reset != nil:
		p.log.Reset(*w.reset, w.members, p.finish("resetting the log", w.then))
	case w.compact > 0:
		if err := p.log.Compact(w.compact); err != nil {
			p.broken = true
			p.failed("compacting the log", err)
		}
	default:
		p.done(w.seq)
	}
}

// append makes one function of what finish would need two for: it is called for each batch.
func (p *persister) append(seq uint64, entries []protocol.Entry) {
	p.log.Append(entries, func(err error) {
		if err != nil {
			p.failed("appending to the log", err)
			return
		}
		p.done(seq)
	})
}

func (p *persister) finish(what string, then func()) func(error) {
	return func(err error) {
		if err != nil {
			p.failed(what, err)
			return
		}
		then()
	}
}

// wait returns when drain has nothing left. The loop has ended by then.
func (p *persister) wait() {
	p.mu.Lock()
	for p.running {
		p.idle.Wait()
	}
	p.mu.Unlock()
}
