package filelog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/vfs"
)

// The file meta holds two copies of the identity and two slots of the vote, each a
// frame that begins a page of its own, with the page's offset as its place.
const (
	metaName = "meta"
	newMeta  = "meta" + newSuffix

	metaVersion  = 1 // the flags of both frames
	kindIdentity = codec.FrameOwnKinds + 0x10
	kindVote     = codec.FrameOwnKinds + 0x11 // Term: the term; Index: sequence number; payload: the vote, 8 bytes

	identitySpace = 16 << 10 // of one copy
	identityA     = 0
	identityB     = identityA + identitySpace
	voteA         = identityB + identitySpace
	voteB         = voteA + 4096
	metaSize      = voteB + 4096
)

// errBadSlot tells that a copy cannot be trusted; the other one may be.
var errBadSlot = errors.New("the slot is damaged")

// readSlot reads the frame at an offset of meta.
func readSlot(f io.ReaderAt, kind protocol.EntryKind, offset, space int64) (protocol.Entry, error) {
	buf := make([]byte, space)
	n, err := f.ReadAt(buf, offset)
	if err != nil && err != io.EOF {
		return protocol.Entry{}, err
	}
	e, version, _, err := codec.Place(offset).ParseFrame(buf[:n])
	switch {
	case err != nil:
		take(branchSlotFrame)
		return e, fmt.Errorf("%w: at offset %d of meta: %w", errBadSlot, offset, err)
	case version > metaVersion:
		take(branchMetaNewer)
		return e, fmt.Errorf("meta has format %d, this program reads up to %d: %w", version, metaVersion, ErrNewerFormat)
	case e.Kind != kind:
		take(branchSlotKind)
		return e, fmt.Errorf("%w: at offset %d of meta is a record of kind %d", errBadSlot, offset, e.Kind)
	}
	return e, nil
}

func writeSlot(f vfs.File, offset int64, e protocol.Entry) error {
	if _, err := f.WriteAt(codec.Place(offset).AppendFrame(nil, metaVersion, e), offset); err != nil {
		return err
	}
	return f.Sync()
}

// readIdentity gives the first copy that is valid, and what is wrong with the other.
func readIdentity(f vfs.File) (id Identity, warning, err error) {
	a, errA := readCopy(f, identityA)
	b, errB := readCopy(f, identityB)
	for _, err := range []error{errA, errB} {
		if err != nil && !errors.Is(err, errBadSlot) {
			return id, nil, err
		}
	}
	switch {
	case errA == nil && errB == nil:
		return a, nil, nil
	case errA == nil:
		take(branchIdentityOne)
		return a, errB, nil
	case errB == nil:
		take(branchIdentityOne)
		return b, errA, nil
	}
	take(branchIdentityBoth)
	return id, nil, fmt.Errorf("%w: first: %w; second: %w", ErrMetaDamaged, errA, errB)
}

func readCopy(f vfs.File, offset int64) (Identity, error) {
	e, err := readSlot(f, kindIdentity, offset, identitySpace)
	if err != nil {
		return Identity{}, err
	}
	id, err := decodeIdentity(e.Payload)
	if err != nil {
		take(branchIdentityFields)
		return id, fmt.Errorf("%w: at offset %d of meta: %w", errBadSlot, offset, err)
	}
	return id, nil
}

// mendIdentity writes the damaged copy again, and leaves the good one alone.
func mendIdentity(f vfs.File, id Identity) error {
	payload, err := id.encode()
	if err != nil {
		return err
	}
	for _, offset := range []int64{identityA, identityB} {
		if _, err := readCopy(f, offset); err == nil {
			continue
		}
		if err := writeSlot(f, offset, protocol.Entry{Kind: kindIdentity, Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}

// createMeta writes meta under another name first: it is there as a whole or not at
// all, and with it the data directory.
func createMeta(fsys vfs.FS, dir string, id Identity) error {
	payload, err := id.encode()
	if err != nil {
		return err
	}
	if len(payload)+codec.FrameOverhead > identitySpace {
		return fmt.Errorf("the identity of member %d has %d bytes, more than there is space for: too many members, or names too long", id.MemberID, len(payload))
	}
	page := make([]byte, metaSize)
	put := func(offset int64, e protocol.Entry) {
		copy(page[offset:], codec.Place(offset).AppendFrame(nil, metaVersion, e))
	}
	for _, offset := range []int64{identityA, identityB} {
		put(offset, protocol.Entry{Kind: kindIdentity, Payload: payload})
	}
	for _, offset := range []int64{voteA, voteB} {
		put(offset, voteRecord(0, protocol.HardState{}))
	}
	f, err := fsys.Create(dir + "/" + newMeta)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(page, 0)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(dir+"/"+newMeta, dir+"/"+metaName); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// openMeta opens meta; the error is ErrNotFormatted when there is none.
func openMeta(fsys vfs.FS, dir string) (vfs.File, error) {
	f, err := fsys.OpenReadWrite(dir + "/" + metaName)
	if errors.Is(err, fs.ErrNotExist) {
		take(branchNotFormatted)
		return nil, fmt.Errorf("%s: %w", dir, ErrNotFormatted)
	}
	return f, err
}
