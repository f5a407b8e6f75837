package tcp

import (
	"net"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

const (
	// writeSize is how many bytes are gathered before they are written.
	writeSize = 512 << 10
	// keptBuffer bounds the memory that an idle connection holds on to. What was gathered and
	// one message of the usual limit (1 MiB of entries) behind it fit.
	keptBuffer = 4 * writeSize
)

// batchWriter encodes messages into one buffer and writes it: one call for all that
// was queued, unless that is more than writeSize.
type batchWriter struct {
	t    *Transport
	conn net.Conn
	buf  []byte
	held int // messages in buf

	versioned codec.Versioned // nil: messages have no versions
	reads     uint16          // the newest that the other side reads
}

func (w *batchWriter) write(batch []protocol.Message) error {
	for i, m := range batch {
		w.add(m)
		if len(w.buf) < writeSize {
			continue
		}
		if err := w.flush(); err != nil {
			w.t.counters.dropped.Add(uint64(len(batch) - i - 1))
			return err
		}
	}
	return w.flush()
}

// add appends the message as a frame; one that cannot be encoded, that the other side cannot
// read, or that is too long, is dropped: it would never get through.
func (w *batchWriter) add(m protocol.Message) {
	if w.versioned != nil && m.Body != nil && w.versioned.MessageVersion(m.Body) > w.reads {
		w.t.counters.dropped.Add(1)
		return
	}
	start := len(w.buf)
	e, err := w.t.opts.Serializer.EncodeMessage(beginFrame(w.buf), m)
	if err != nil {
		w.t.counters.dropped.Add(1)
		w.t.opts.Logger.Error(err, "a message cannot be encoded", "member", m.To, "kind", kindOf(m))
		return
	}
	if n := len(e.Bytes) - start - headerSize; n > w.t.opts.MaxFrameBytes {
		w.t.counters.dropped.Add(1)
		w.t.opts.Logger.Info("a message is longer than MaxFrameBytes and is not sent", "member", m.To, "kind", kindOf(m),
			"bytes", n, "limit", w.t.opts.MaxFrameBytes)
		return
	}
	w.buf = endFrame(e.Bytes, start, frameMessage)
	w.held++
}

func kindOf(m protocol.Message) string {
	if m.Body == nil {
		return "none"
	}
	return m.Body.Kind().String()
}

func (w *batchWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.conn.Write(w.buf)
	c := &w.t.counters
	if err != nil {
		c.dropped.Add(uint64(w.held))
	} else {
		c.writes.Add(1)
		c.sent.Add(uint64(w.held))
		c.sentBytes.Add(uint64(len(w.buf)))
	}
	if w.held, w.buf = 0, w.buf[:0]; cap(w.buf) > keptBuffer {
		w.buf = nil
	}
	return err
}
