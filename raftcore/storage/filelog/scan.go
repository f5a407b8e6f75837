package filelog

import (
	"bytes"
	"errors"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// frame is one valid frame of a segment.
type frame struct {
	offset int64
	size   int
	start  bool // the first of a write
	entry  protocol.Entry
}

// walk reads frames in physical order from an offset on, until one is not valid or
// visit gives an error. It gives where it stopped and, when that was for a frame, the
// frame as far as it is known and what is wrong with it.
func walk(data []byte, salt uint64, from int64, visit func(frame) error) (stopped frame, cause error) {
	for {
		e, flags, n, err := placeOf(salt, from).ParseFrame(data[from:])
		f := frame{offset: from, size: n, start: flags&flagStart != 0, entry: e}
		if err != nil {
			return f, err
		}
		if err := visit(f); err != nil {
			return f, err
		}
		from += int64(n)
	}
}

// isFrameError reports whether walk stopped for a frame, not for its visitor.
func isFrameError(err error) bool {
	return errors.Is(err, codec.ErrFrameTorn) || errors.Is(err, codec.ErrFrameHeader) || errors.Is(err, codec.ErrFramePayload)
}

// search looks at every offset from from on for a frame that accept takes. Frames
// there need not be whole: err tells.
func search(data []byte, salt uint64, from int64, accept func(f frame, err error) bool) (frame, bool) {
	for {
		if from+codec.FrameMarkOffset >= int64(len(data)) {
			return frame{}, false
		}
		skip := bytes.IndexByte(data[from+codec.FrameMarkOffset:], codec.FrameMark)
		if skip < 0 {
			return frame{}, false
		}
		from += int64(skip)
		e, flags, n, err := placeOf(salt, from).ParseFrame(data[from:])
		if !errors.Is(err, codec.ErrFrameHeader) && n > 0 {
			f := frame{offset: from, size: n, start: flags&flagStart != 0, entry: e}
			if accept(f, err) {
				return f, true
			}
		}
		from++
	}
}

// laterWrite finds a valid frame that begins a write: the proof that everything before
// it had been durable.
func laterWrite(data []byte, salt uint64, from int64) (frame, bool) {
	return search(data, salt, from, func(f frame, err error) bool { return err == nil && f.start })
}

// leftovers reports whether anything there could ever be taken for a frame of this
// life of the file: the rest of a torn write.
func leftovers(data []byte, salt uint64, from int64) bool {
	_, found := search(data, salt, from, func(frame, error) bool { return true })
	return found
}
