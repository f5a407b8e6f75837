package filelog

import (
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// Status says what Inspect thinks of a record.
type Status string

// The statuses.
const (
	Live    Status = "live"    // an entry that the log holds
	Dropped Status = "dropped" // an entry that was cut off or compacted since
	Whole   Status = "whole"   // an entry of a log that recovery refuses: live or dropped, who knows
	Own     Status = "own"     // a record of the log's own
	Torn    Status = "torn"    // the rest of a write that was never acknowledged
	Damaged Status = "damaged" // something that had been durable and is no longer whole
)

// Record is a place in a log file and what is there.
type Record struct {
	File   string
	Offset int64
	Size   int64 // bytes in the file; of a torn or damaged place, up to what is whole again
	Start  bool  // the first of a write
	Kind   string
	Entry  protocol.Entry // index, term and payload, as far as they can be trusted
	Status Status
	Note   string // for people: what is wrong, or what the record says
}

// Summary is what Inspect found in a data directory.
type Summary struct {
	Identity  Identity
	HardState protocol.HardState
	Log       protocol.LogState // as recovery would find it; not set when LogErr is
	Snapshots []protocol.SnapshotMeta

	Segments int
	Entries  int   // that the log holds
	Records  int   // whole ones, in all
	Bytes    int64 // of them

	// What recovery would say: nil when it would go well.
	MetaErr, VotesErr, LogErr error
	// All damage that was found. Recovery stops at the first that it cannot name, and
	// tells it in LogErr.
	Damage []error
	// Repairable are the entries that live and are damaged, when recovery would go well:
	// other members can give them.
	Repairable []protocol.EntryID
	// What recovery would mend: a torn end, a copy of meta that is damaged.
	Warnings []error
}

// Inspect reads a data directory and changes nothing. visit is called for each record
// in physical order; it may be nil. No lock is taken, so that it can be used beside a
// running process: then the newest records may seem to be torn, and a file that gets
// another life meanwhile may seem to be damaged.
//
// The error tells that files cannot be read, or is visit's own; what is wrong in them
// is in the Summary.
func Inspect(fsys vfs.FS, dir string, visit func(Record) error) (Summary, error) {
	in := &inspector{fs: fsys, visit: visit}
	if err := in.meta(dir); err != nil {
		return in.sum, err
	}
	if err := in.log(dir + "/" + logDir); err != nil {
		return in.sum, err
	}
	return in.sum, in.snapshots(dir + "/" + snapDir)
}

type inspector struct {
	fs    vfs.FS
	visit func(Record) error
	sum   Summary
	live  map[string]map[int64]bool // by file and offset; nil when recovery would fail
}

func (in *inspector) damage(err error) { in.sum.Damage = append(in.sum.Damage, err) }

func (in *inspector) warn(err error) {
	if err != nil {
		in.sum.Warnings = append(in.sum.Warnings, err)
	}
}

func (in *inspector) meta(dir string) error {
	f, err := in.fs.Open(dir + "/" + metaName)
	if err != nil {
		in.sum.MetaErr = err
		return err
	}
	defer f.Close()
	var warning error
	in.sum.Identity, warning, in.sum.MetaErr = readIdentity(f)
	in.warn(warning)
	votes, warning, err := readVotes(f)
	in.sum.HardState, in.sum.VotesErr = votes.state, err
	in.warn(warning)
	for _, err := range []error{in.sum.MetaErr, in.sum.VotesErr} {
		if err != nil {
			in.damage(err)
		}
	}
	return nil
}

func (in *inspector) log(dir string) error {
	r, unused, err := replayDir(readOnly{in.fs}, dir, 0)
	in.sum.LogErr = err
	if r != nil {
		closeAll(append(r.chain, unused...))
	}
	if err == nil {
		in.index(r)
		in.sum.Log = r.state()
	}
	if err != nil && !isDamage(err) {
		return err
	}
	seqs, listErr := listSegments(in.fs, dir)
	if listErr != nil {
		in.damage(listErr)
		return nil
	}
	for i, seq := range seqs {
		if i > 0 && seq != seqs[i-1]+1 {
			in.damage(&storage.DamageError{File: dir + "/" + segmentName(seqs[i-1]+1), Reason: "the segment is missing"})
		}
		if err := in.segment(dir+"/"+segmentName(seq), seq, i == len(seqs)-1); err != nil {
			return err
		}
	}
	if err != nil && len(in.sum.Damage) == 0 {
		in.damage(err) // between records that are all whole
	}
	return nil
}

func isDamage(err error) bool {
	var d *storage.DamageError
	return errors.As(err, &d)
}

// index notes which records are live.
func (in *inspector) index(r *replay) {
	in.live = map[string]map[int64]bool{}
	for _, s := range r.chain {
		offsets := map[int64]bool{}
		for i, offset := range s.offsets {
			if s.first+protocol.Index(i) > r.base.Index {
				offsets[int64(offset)] = true
			}
		}
		in.live[s.name] = offsets
		in.sum.Entries += len(offsets)
	}
	for _, h := range living(r.holes, r.base.Index) {
		in.sum.Repairable = append(in.sum.Repairable, h.entries...)
	}
}

func (in *inspector) segment(name string, seq uint64, newest bool) error {
	data, err := vfs.ReadFile(in.fs, name)
	if err != nil {
		return err
	}
	in.sum.Segments++
	salt, err := decodeHeader(name, data, seq)
	if err != nil {
		in.damage(err)
		return in.tell(Record{File: name, Size: int64(len(data)), Status: Damaged, Note: err.Error()})
	}
	for from := int64(dataStart); ; {
		stop, cause := walk(data, salt, from, func(f frame) error { return in.whole(name, f) })
		if !isFrameError(cause) {
			return cause
		}
		next, found := search(data, salt, stop.offset+1, func(_ frame, err error) bool { return err == nil })
		_, durable := laterWrite(data, salt, stop.offset+1)
		if !found && (!leftovers(data, salt, stop.offset) || !newest) {
			return nil // the end
		}
		if err := in.broken(name, stop, cause, next, found, durable); err != nil || !found {
			return err
		}
		from = next.offset
	}
}

func (in *inspector) whole(name string, f frame) error {
	in.sum.Records++
	in.sum.Bytes += int64(f.size)
	rec := Record{File: name, Offset: f.offset, Size: int64(f.size), Start: f.start, Kind: kindName(f.entry.Kind), Entry: f.entry, Status: Dropped}
	switch {
	case f.entry.Kind >= codec.FrameOwnKinds:
		rec.Status = Own
		if h, err := parseHead(f.entry); f.entry.Kind == kindHead && err == nil {
			rec.Note = fmt.Sprintf("the log holds (%d, %d]", h.base.Index, h.last.Index)
		}
	case in.live == nil:
		rec.Status = Whole
	case in.live[name][f.offset]:
		rec.Status = Live
	}
	return in.tell(rec)
}

// broken tells of a place that holds no whole frame: damage when a later write is
// there, a torn write otherwise.
func (in *inspector) broken(name string, stop frame, cause error, next frame, found, durable bool) error {
	rec := Record{File: name, Offset: stop.offset, Size: int64(stop.size), Start: stop.start, Entry: stop.entry, Status: Torn, Note: cause.Error()}
	if stop.size > 0 {
		rec.Kind = kindName(stop.entry.Kind)
	}
	if found {
		rec.Size = next.offset - stop.offset
	}
	d := &storage.DamageError{File: name, Offset: stop.offset, Index: stop.entry.Index, Term: stop.entry.Term, Reason: cause.Error()}
	if durable {
		rec.Status = Damaged
		in.damage(d)
	} else {
		in.warn(fmt.Errorf("a write was torn and will be cut off: %w", d))
	}
	return in.tell(rec)
}

func (in *inspector) tell(r Record) error {
	if in.visit == nil {
		return nil
	}
	return in.visit(r)
}

// snapshots reads every snapshot to its end.
func (in *inspector) snapshots(dir string) error {
	s := &Snapshots{fs: in.fs, dir: dir, serializer: codec.Msgpack{}}
	ids, err := s.list()
	if err != nil {
		return err
	}
	for _, id := range ids {
		r, meta, err := s.Open(id)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if err != nil {
			in.damage(err)
			continue
		}
		in.sum.Snapshots = append(in.sum.Snapshots, meta)
	}
	return nil
}

// readOnly opens for reading where replay would open for writing too.
type readOnly struct{ vfs.FS }

// OpenReadWrite implements vfs.FS.
func (r readOnly) OpenReadWrite(name string) (vfs.File, error) { return r.FS.Open(name) }
