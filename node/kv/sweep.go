package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// sweepChunk is how many records are swept at a time: what Apply may have to wait
// for is the time to look up as many heads.
const sweepChunk = 256

// sweeper drops in the background what compaction has made unreachable.
//
// It passes over the records up to the compacted revision C in their order. A
// record tells which one it superseded: that one goes. A deletion goes itself, and
// its head when it is still the newest change of its key. What happened at C itself
// stays until the next compaction, so that a watch may start there.
type sweeper struct {
	store *Store
	wake  chan struct{}
	stop  chan struct{}
	done  sync.WaitGroup

	mu struct {
		sync.Mutex
		idle    *sync.Cond
		running bool
	}
}

func newSweeper(s *Store) *sweeper {
	w := &sweeper{store: s}
	w.mu.idle = sync.NewCond(&w.mu)
	w.start()
	w.kick()
	return w
}

// start starts the goroutine. stop and start frame a restore.
func (w *sweeper) start() {
	w.wake, w.stop = make(chan struct{}, 1), make(chan struct{})
	w.done.Add(1)
	go w.run(w.wake, w.stop)
}

// kick tells that the compacted revision was raised.
func (w *sweeper) kick() {
	w.mu.Lock()
	w.mu.running = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// wait returns when nothing is left to drop, or ctx ends.
func (w *sweeper) wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.mu.idle.Broadcast()
	})
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.mu.running && ctx.Err() == nil {
		w.mu.idle.Wait()
	}
	return ctx.Err()
}

func (w *sweeper) close() {
	close(w.stop)
	w.done.Wait()
}

func (w *sweeper) run(wake, stop chan struct{}) {
	defer w.done.Done()
	defer w.rest()
	for {
		select {
		case <-stop:
			return
		case <-wake:
		}
		if err := w.sweep(stop); err != nil {
			w.store.fault.set(fmt.Errorf("kv: dropping what was compacted: %w", err))
			return
		}
		if len(wake) == 0 {
			w.rest()
		}
	}
}

func (w *sweeper) rest() {
	w.mu.Lock()
	w.mu.running = len(w.wake) > 0
	w.mu.idle.Broadcast()
	w.mu.Unlock()
}

// sweep drops everything up to the compacted revision.
func (w *sweeper) sweep(stop chan struct{}) error {
	from, err := w.store.swept()
	if err != nil {
		return err
	}
	target := w.store.compact.Load()
	for from < target {
		select {
		case <-stop:
			return nil
		default:
		}
		if from, err = w.store.sweepChunk(from, target); err != nil {
			return err
		}
	}
	return nil
}

// swept gives the first revision that the next sweep looks at.
func (s *Store) swept() (int64, error) {
	b, closer, err := s.db.Get(sweptKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, errors.Join(errDamaged, closer.Close())
	}
	return int64(v), closer.Close()
}

// garbage is what one chunk of a sweep found.
type garbage struct {
	records []revision
	deleted []record // deletions whose heads may go; the value is not set
	next    int64    // where the next chunk starts
}

// sweepChunk drops what the records from revision from on tell, and gives where to
// go on: target when it is done. Heads go before the deletions that name them, and
// the progress is written with the records: a crash anywhere only repeats work.
func (s *Store) sweepChunk(from, target int64) (int64, error) {
	g, err := s.findGarbage(from, target)
	if err != nil {
		return 0, err
	}
	if err := s.dropHeads(g.deleted); err != nil {
		return 0, err
	}
	b := s.db.NewBatch()
	defer b.Close()
	var space [recordKeySize]byte
	for _, r := range g.records {
		if err := b.Delete(appendRecordKey(space[:0], r), nil); err != nil {
			return 0, err
		}
	}
	if err := b.Set(sweptKey, binary.AppendUvarint(nil, uint64(g.next)), nil); err != nil {
		return 0, err
	}
	return g.next, b.Commit(pebble.NoSync)
}

func (s *Store) findGarbage(from, target int64) (garbage, error) {
	g := garbage{next: target}
	it, err := s.records(from, target)
	if err != nil {
		return g, err
	}
	n, last := 0, int64(0)
	for ok := it.First(); ok; ok = it.Next() {
		rec, err := recordAt(it)
		if err != nil {
			return g, errors.Join(err, it.Close())
		}
		if n++; n > sweepChunk && rec.mod.main != last {
			g.next = rec.mod.main
			break
		}
		last = rec.mod.main
		g.judge(rec, target)
	}
	return g, it.Close()
}

// records iterates over what happened at the revisions from to to, both included.
func (s *Store) records(from, to int64) (*pebble.Iterator, error) {
	return s.db.NewIter(&pebble.IterOptions{
		LowerBound: appendRecordKey(nil, revision{main: max(from, 0)}),
		UpperBound: appendRecordKey(nil, revision{main: max(to, 0) + 1}),
	})
}

// judge decides what rec, which is at or below target, makes unreachable.
func (g *garbage) judge(rec record, target int64) {
	if p := rec.prev; p.main != 0 && p.main < target {
		g.records = append(g.records, p)
	}
	if rec.deleted() && rec.mod.main < target {
		g.records = append(g.records, rec.mod)
		g.deleted = append(g.deleted, record{change: rec.change, key: append([]byte(nil), rec.key...)})
	}
}

// recordAt decodes the record that the iterator is at. It aliases the iterator.
func recordAt(it *pebble.Iterator) (record, error) {
	mod, err := parseRecordKey(it.Key())
	if err != nil {
		return record{}, err
	}
	b, err := it.ValueAndErr()
	if err != nil {
		return record{}, err
	}
	return decodeRecord(mod, b)
}

// dropHeads drops the heads of keys whose newest change is one of these deletions.
func (s *Store) dropHeads(deleted []record) error {
	if len(deleted) == 0 {
		return nil
	}
	s.write.Lock()
	defer s.write.Unlock()
	b := s.db.NewBatch()
	defer b.Close()
	for _, d := range deleted {
		h, ok, err := s.storedHead(d.key)
		if err != nil {
			return err
		}
		if ok && h.mod == d.mod {
			if err := b.Delete(appendHeadKey(nil, d.key), nil); err != nil {
				return err
			}
		}
	}
	return b.Commit(pebble.NoSync)
}
