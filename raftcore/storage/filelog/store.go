package filelog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/vfs"
)

const (
	logDir   = "log"
	snapDir  = "snap"
	lockName = "LOCK"
)

// Store is an open data directory.
type Store struct {
	Identity  Identity
	Log       *Log
	Votes     *Votes
	Snapshots *Snapshots

	lock io.Closer
}

// Format makes a data directory. It gives ErrFormatted when there is one, or when what
// is there could be the rest of one. After a crash in the middle it can be called again.
func Format(fsys vfs.FS, dir string, id Identity, o Options) error {
	if id.ClusterID == "" || id.MemberID == 0 || id.Incarnation == 0 {
		return fmt.Errorf("format %s: cluster ID, member ID and incarnation are needed, not %q, %d and %d", dir, id.ClusterID, id.MemberID, id.Incarnation)
	}
	for _, d := range []string{dir, dir + "/" + logDir, dir + "/" + snapDir} {
		if err := fsys.MkdirAll(d); err != nil {
			return fmt.Errorf("format %s: %w", dir, err)
		}
	}
	lock, err := lockDir(fsys, dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := format(fsys, dir, id, o.withDefaults()); err != nil {
		return fmt.Errorf("format %s: %w", dir, err)
	}
	return nil
}

func format(fsys vfs.FS, dir string, id Identity, o Options) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == metaName {
			return ErrFormatted
		}
	}
	if err := clearUnfinished(fsys, dir+"/"+logDir); err != nil {
		return err
	}
	first, err := makeSegment(fsys, dir+"/"+logDir, o, 1, "", &head{})
	if err != nil {
		return err
	}
	if err := first.file.Close(); err != nil {
		return err
	}
	return createMeta(fsys, dir, id) // the last step: with meta the directory is formatted
}

// clearUnfinished removes what a Format that was interrupted has left: the first segment
// with nothing in it. Anything else means that meta was lost, not that it never was.
func clearUnfinished(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case name == segmentName(1):
			r, unused, err := replayDir(fsys, dir, 0)
			if r != nil {
				closeAll(append(r.chain, unused...))
			}
			if err != nil || r.last.Index != 0 || r.base.Index != 0 {
				return fmt.Errorf("%w: there is a log but no meta", ErrFormatted)
			}
		case !strings.HasSuffix(name, newSuffix):
			return fmt.Errorf("%w: there is %s but no meta", ErrFormatted, name)
		}
	}
	for _, name := range names {
		if err := fsys.Remove(dir + "/" + name); err != nil {
			return err
		}
	}
	return fsys.SyncDir(dir)
}

// ReadIdentity tells whose data directory it is, without opening it. The error is
// ErrNotFormatted, ErrMetaDamaged or ErrNewerFormat where one of them fits.
func ReadIdentity(fsys vfs.FS, dir string) (Identity, error) {
	f, err := fsys.Open(dir + "/" + metaName)
	if errors.Is(err, fs.ErrNotExist) {
		take(branchNotFormatted)
		return Identity{}, fmt.Errorf("%s: %w", dir, ErrNotFormatted)
	}
	if err != nil {
		return Identity{}, err
	}
	defer f.Close()
	id, _, err := readIdentity(f)
	if err != nil {
		return id, fmt.Errorf("%s: %w", dir, err)
	}
	return id, nil
}

// Open opens a data directory and recovers what it holds. Beside the errors of
// ReadIdentity it gives vfs.ErrLocked, *IdentityError and *storage.DamageError.
func Open(fsys vfs.FS, dir string, o Options) (s *Store, err error) {
	o = o.withDefaults()
	if !o.Serializer.Binary() {
		return nil, fmt.Errorf("open %s: serializer %s makes no bytes, which files need: use codec.Msgpack", dir, o.Serializer.Name())
	}
	id, err := ReadIdentity(fsys, dir)
	if errors.Is(err, ErrNotFormatted) && o.bugs.Has(mutation.WipedVoter) {
		id = Identity{ClusterID: o.ClusterID, MemberID: o.MemberID, Incarnation: 1}
		err = Format(fsys, dir, id, o)
	}
	if err != nil {
		return nil, err
	}
	if err := o.check(dir, id); err != nil {
		return nil, err
	}
	s = &Store{Identity: id}
	defer func() {
		if err != nil {
			s.Close()
			s, err = nil, fmt.Errorf("open %s: %w", dir, err)
		}
	}()
	if s.lock, err = lockDir(fsys, dir); err != nil {
		return s, err
	}
	if err := fsys.SyncDir(dir); err != nil { // meta may have its name only in a cache
		return s, err
	}
	if err := s.openMeta(fsys, dir, o); err != nil {
		return s, err
	}
	if s.Log, err = openLog(fsys, dir+"/"+logDir, o); err != nil {
		return s, err
	}
	s.Snapshots, err = openSnapshots(fsys, dir+"/"+snapDir, o.Serializer)
	return s, err
}

func (s *Store) openMeta(fsys vfs.FS, dir string, o Options) error {
	f, err := openMeta(fsys, dir)
	if err != nil {
		return err
	}
	id, warning, err := readIdentity(f)
	if err == nil && warning != nil {
		o.Warn(fmt.Errorf("one of two copies of the identity was damaged, it is mended from the other: %w", warning))
		err = mendIdentity(f, id)
	}
	if err == nil {
		s.Votes, err = openVotes(f, o.Warn)
	}
	if err != nil {
		f.Close()
	}
	return err
}

// Close closes all of the store that is still open. It gives the error that the log has
// failed with.
func (s *Store) Close() error {
	var err error
	if s.Log != nil {
		err = s.Log.Close()
	}
	if s.Votes != nil {
		err = errors.Join(err, s.Votes.close())
	}
	if s.lock != nil {
		s.lock.Close()
		s.lock = nil
	}
	return err
}

func lockDir(fsys vfs.FS, dir string) (io.Closer, error) {
	lock, err := fsys.Lock(dir + "/" + lockName)
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("data directory %s is used by another process, which must be stopped first: %w", dir, err)
	}
	return lock, err
}
