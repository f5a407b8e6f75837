package filelog

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// ErrNewerFormat tells that a newer release wrote the data directory. The data are
// whole: an upgraded node can read them.
var ErrNewerFormat = errors.New("written by a newer version of this program: upgrade it")

// NewestFormat is the newest format of a file in a data directory, which this release writes: of
// segments, meta or snapshots.
const NewestFormat = max(segmentVersion, metaVersion, snapshotVersion)

const (
	segmentSuffix = ".seg"  // a part of the log
	freeSuffix    = ".free" // pre-written, waits for its next life
	newSuffix     = ".new"  // being pre-written

	segmentMagic   = "QUORLOG\n"
	segmentVersion = 1
	headerSize     = 36
	// dataStart is where the first frame is: the header has a page of its own, so
	// that no later write touches its sectors.
	dataStart = 4096
)

// segment is one file of the log.
//
// live entries are held by index: offsets[i] is where entry first+i is. They and end
// are guarded by Log.mu, but for end, which only the writer changes, so that it may
// look without the lock.
type segment struct {
	seq     uint64
	salt    uint64
	name    string
	file    vfs.File
	end     int64 // where the next frame goes
	body    int64 // where the frame after the head is, or goes
	first   protocol.Index
	offsets []uint32

	// use is held for reading while the file is read, and for writing when the file
	// is given to another life.
	use sync.RWMutex
}

func segmentName(seq uint64) string { return fmt.Sprintf("%016x%s", seq, segmentSuffix) }

// parseSeq reads the number in a name; ok is false when it is not such a name.
func parseSeq(name, suffix string) (seq uint64, ok bool) {
	digits, found := strings.CutSuffix(name, suffix)
	if !found || len(digits) != 16 {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 16, 64)
	return seq, err == nil
}

// newSalt draws what tells this life of a file from its former ones.
func newSalt() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// placeOf binds a frame to a life of a file and to its offset. It mixes well
// (the finalizer of splitmix64), so that the two halves of a Place are independent.
func placeOf(salt uint64, offset int64) codec.Place {
	x := salt + uint64(offset)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return codec.Place(x ^ x>>31)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeHeader gives the page at the beginning of a segment.
func encodeHeader(seq, salt uint64) []byte {
	h := make([]byte, dataStart)
	copy(h, segmentMagic)
	binary.LittleEndian.PutUint32(h[8:], segmentVersion)
	binary.LittleEndian.PutUint64(h[16:], seq)
	binary.LittleEndian.PutUint64(h[24:], salt)
	binary.LittleEndian.PutUint32(h[32:], crc32.Checksum(h[:32], castagnoli))
	return h
}

// decodeHeader gives the salt of the segment with the number seq.
func decodeHeader(name string, data []byte, seq uint64) (salt uint64, err error) {
	damage := func(format string, args ...any) error {
		return &storage.DamageError{File: name, Reason: fmt.Sprintf("segment header: "+format, args...)}
	}
	if len(data) < dataStart {
		take(branchHeaderShort)
		return 0, damage("the file has only %d bytes", len(data))
	}
	if string(data[:8]) != segmentMagic {
		take(branchHeaderMark)
		return 0, damage("it does not begin with the mark of a segment")
	}
	if binary.LittleEndian.Uint32(data[32:]) != crc32.Checksum(data[:32], castagnoli) {
		take(branchHeaderChecksum)
		return 0, damage("its checksum does not hold")
	}
	if v := binary.LittleEndian.Uint32(data[8:]); v > segmentVersion {
		take(branchHeaderNewer)
		return 0, fmt.Errorf("%s has format %d, this program reads up to %d: %w", name, v, segmentVersion, ErrNewerFormat)
	}
	if got := binary.LittleEndian.Uint64(data[16:]); got != seq {
		take(branchHeaderOther)
		return 0, damage("it is that of segment %016x", got)
	}
	return binary.LittleEndian.Uint64(data[24:]), nil
}

// last gives the index of the last live entry here; ok is false when there is none.
func (s *segment) last() (protocol.Index, bool) {
	if len(s.offsets) == 0 {
		return 0, false
	}
	return s.first + protocol.Index(len(s.offsets)) - 1, true
}

// put notes where an entry is. Entries before it stay, those after it are gone.
func (s *segment) put(index protocol.Index, offset int64) {
	if len(s.offsets) == 0 {
		s.first = index
	}
	s.offsets = append(s.offsets, uint32(offset))
}

// cut forgets the entries from index on and reports whether entries remain.
func (s *segment) cut(index protocol.Index) bool {
	if len(s.offsets) == 0 || index <= s.first {
		s.offsets = s.offsets[:0]
		return false
	}
	if n := index - s.first; n < protocol.Index(len(s.offsets)) {
		s.offsets = s.offsets[:n]
	}
	return true
}

// placed puts an entry at the end of a chain of segments, cutting those that it
// replaces.
func placed(chain []*segment, index protocol.Index, offset int64) {
	for i := len(chain) - 1; i >= 0; i-- {
		if last, ok := chain[i].last(); ok && last < index {
			break
		}
		if chain[i].cut(index) {
			break
		}
	}
	chain[len(chain)-1].put(index, offset)
}

// find gives the segment that holds a live entry, or nil.
func find(chain []*segment, index protocol.Index) *segment {
	for i := len(chain) - 1; i >= 0; i-- {
		if last, ok := chain[i].last(); ok && chain[i].first <= index {
			if index <= last {
				return chain[i]
			}
			return nil
		}
	}
	return nil
}
