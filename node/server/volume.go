package server

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/vfs"
)

// The names in a data directory that are this package's. The others are filelog's and the
// state machine's.
const (
	faultsName = "faults"
	// draftName holds the incarnation of a volume that waits for the grant to found:
	// drawn and durable before anybody is told, forgotten by nobody but a wipe.
	draftName = "incarnation"
)

// volume is an open data directory.
type volume struct {
	fs    vfs.FS
	cfg   *Config
	log   logr.Logger
	sink  *fault.Sink
	draft protocol.Incarnation // of an unfounded volume, 0: it is founded
	known protocol.Incarnation // of a founded volume that could not be opened, 0: unknown

	founding sync.Mutex                    // held while the volume is made a member's
	store    atomic.Pointer[filelog.Store] // nil while the volume may not take part
}

// openVolume opens the data directory, and formats an empty one when this member may
// found or join on its own. The volume is given also with an error that is a
// *fault.Fault, so that the fault can be kept on it; any other error means that the
// process cannot run here.
func openVolume(cfg *Config, log logr.Logger) (*volume, error) {
	v := &volume{fs: vfs.OS{}, cfg: cfg, log: log}
	if cfg.fs != nil {
		v.fs = cfg.fs
	}
	if err := v.fs.MkdirAll(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("--data-dir: %w", err)
	}
	err := v.open()
	if errors.Is(err, vfs.ErrLocked) {
		return nil, err
	}
	v.sink = v.openSink(err)
	return v, err
}

// openSink gives the sink of faults on the volume; one in memory when the volume is
// somebody else's, to whom nothing must be told of what goes wrong here.
func (v *volume) openSink(opened error) *fault.Sink {
	var f *fault.Fault
	if errors.As(opened, &f) && f.Kind == fault.IdentityMismatch {
		return fault.NewSink(nil, fault.SinkOptions{})
	}
	return fault.Open(v.fs, filepath.Join(v.cfg.DataDir, faultsName), fault.SinkOptions{})
}

func (v *volume) open() error {
	err := v.openStore()
	if !errors.Is(err, filelog.ErrNotFormatted) {
		return err
	}
	if v.draft, err = v.readDraft(); err != nil {
		return fault.New(fault.MetaCorrupt, time.Now(), err, "reading the incarnation of an unfounded volume")
	}
	if v.cfg.Join && len(v.cfg.members.Members) > 0 {
		return nil
	}
	return v.format(v.cfg.members)
}

func (v *volume) openStore() error {
	reserve, low, high := v.waterMarks()
	s, err := filelog.Open(v.fs, v.cfg.DataDir, filelog.Options{
		ClusterID: v.cfg.ClusterID, MemberID: protocol.MemberID(v.cfg.MemberID),
		Reserve: reserve, LowWater: low, HighWater: high,
		Warn: func(err error) { v.log.Info("storage", "warning", err.Error()) },
	})
	if err != nil {
		if id, e := filelog.ReadIdentity(v.fs, v.cfg.DataDir); e == nil {
			v.known = id.Incarnation
		}
		return storageFault(err)
	}
	v.store.Store(s)
	return nil
}

// waterMarks gives what the configuration says of the space on the volume, but never more
// than small parts of all of it: a small volume would be full for ever.
func (v *volume) waterMarks() (reserve int64, low, high uint64) {
	c := v.cfg
	u, err := v.fs.Usage(c.DataDir)
	if err != nil {
		return int64(c.DiskReserve), c.DiskLowWater, c.DiskHighWater
	}
	return int64(min(c.DiskReserve, u.Total/20)), min(c.DiskLowWater, u.Total/20), min(c.DiskHighWater, u.Total/12)
}

// storageFault classifies why a data directory cannot be opened. ErrNotFormatted and
// vfs.ErrLocked are no faults.
func storageFault(err error) error {
	var identity *filelog.IdentityError
	var damage *storage.DamageError
	kind := fault.FsyncFailed
	switch {
	case errors.Is(err, filelog.ErrNotFormatted), errors.Is(err, vfs.ErrLocked):
		return err
	case errors.As(err, &identity):
		kind = fault.IdentityMismatch
	case errors.Is(err, filelog.ErrMetaDamaged), errors.Is(err, filelog.ErrFormatted), errors.Is(err, storage.ErrVotesDamaged):
		kind = fault.MetaCorrupt
	case errors.Is(err, filelog.ErrNewerFormat), errors.Is(err, fs.ErrPermission):
		kind = fault.ConfigInvalid
	case errors.As(err, &damage):
		kind = fault.LogCorrupt
	}
	return fault.New(kind, time.Now(), err, "opening the data directory")
}

// format makes the volume a member's for good.
func (v *volume) format(members protocol.Membership) error {
	err := filelog.Format(v.fs, v.cfg.DataDir, filelog.Identity{
		ClusterID: v.cfg.ClusterID, Name: v.cfg.Name, MemberID: protocol.MemberID(v.cfg.MemberID),
		Incarnation: v.draft, Membership: members,
	}, filelog.Options{})
	if err != nil {
		return storageFault(err)
	}
	return v.openStore()
}

// readDraft gives the incarnation that was drawn for the volume; it draws one, and
// makes it durable, when there is none.
func (v *volume) readDraft() (protocol.Incarnation, error) {
	name := filepath.Join(v.cfg.DataDir, draftName)
	b, err := vfs.ReadFile(v.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return v.drawDraft(name)
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 16, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s holds %q, not a number of 16 hexadecimal digits", name, b)
	}
	return protocol.Incarnation(n), nil
}

func (v *volume) drawDraft(name string) (protocol.Incarnation, error) {
	var b [8]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	n := protocol.Incarnation(max(1, binary.LittleEndian.Uint64(b[:])))
	f, err := v.fs.Create(name + ".new")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(hex(n)+"\n"), 0); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if err := v.fs.Rename(name+".new", name); err != nil {
		return 0, err
	}
	return n, v.fs.SyncDir(v.cfg.DataDir)
}

// found makes a volume that waits a founding member's. changed is false when it was
// one before.
func (v *volume) found(members protocol.Membership) (changed bool, err error) {
	v.founding.Lock()
	defer v.founding.Unlock()
	if v.mayTakePart() {
		return false, nil
	}
	return true, v.format(members)
}

// mayTakePart reports whether the volume is a member's.
func (v *volume) mayTakePart() bool { return v.store.Load() != nil }

// stillBroken gives the fault that has ended the member's former life, when neither
// a restart nor a check at the start can clear it: Raft itself cannot be trusted here.
func (v *volume) stillBroken() *fault.Fault {
	r, ok := v.sink.Unrecoverable()
	if !ok || r.Kind != fault.InvariantBroken {
		return nil
	}
	return r.Fault()
}

// awaitsFounding reports whether the volume is empty and waits for a grant.
func (v *volume) awaitsFounding() bool { return !v.mayTakePart() && v.draft != 0 }

// incarnation gives the volume's incarnation as the operator knows it, "" when it
// cannot be read: that must not look like another volume.
func (v *volume) incarnation() string {
	n := max(v.draft, v.known)
	if s := v.store.Load(); s != nil {
		n = s.Identity.Incarnation
	}
	if n == 0 {
		return ""
	}
	return hex(n)
}

func hex(n protocol.Incarnation) string { return fmt.Sprintf("%016x", uint64(n)) }

// lastFsync tells how long the log's last sync took.
func (v *volume) lastFsync() time.Duration {
	if s := v.store.Load(); s != nil {
		return s.Log.Stats().LastSync
	}
	return 0
}

// reserved tells how many bytes the reserve file holds, which are given up when there is no
// space for the log.
func (v *volume) reserved() uint64 {
	if s := v.store.Load(); s != nil {
		return s.Log.Stats().Reserved
	}
	return 0
}

// close releases the directory. The log, which a host has owned, may be closed already.
func (v *volume) close() {
	if s := v.store.Load(); s != nil {
		if err := s.Close(); err != nil {
			v.log.Info("closing the data directory", "reason", err.Error())
		}
	}
	v.sink.Close() //nolint:errcheck // what it could not write is told in its statistics
}
