package host

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/session"
)

// state is what entries change: the state machine, and the table of client sessions beside
// it. The two never come apart: a snapshot has both, and a state machine with files of its own
// keeps the table in them.
type state struct {
	machine    machine.StateMachine
	results    machine.ResultCodec // nil: the state machine takes no commands in sessions
	keeper     machine.Keeper      // not nil: it keeps the table
	durable    bool                // it keeps its state in files of its own
	serializer codec.Serializer
	table      *session.Table
}

// errNoSessions tells the embedder what is missing.
var (
	errNoResultCodec = errors.New("the state machine has no machine.ResultCodec, which client sessions need")
	errNoKeeper      = errors.New("the state machine keeps files of its own but is no machine.Keeper, which client sessions then need")
)

func newState(o *Options) *state {
	s := &state{machine: o.Machine, serializer: o.Serializer, table: session.New()}
	s.table.Mutation = o.Mutation
	s.results, _ = o.Machine.(machine.ResultCodec)
	s.keeper, _ = o.Machine.(machine.Keeper)
	_, s.durable = o.Machine.(machine.Durable)
	if s.keeper != nil {
		s.table.Track()
	}
	return s
}

// takesSessions gives the reason why the state machine takes no commands in sessions, or nil.
func (s *state) takesSessions() error {
	switch {
	case s.results == nil:
		return errNoResultCodec
	case s.durable && s.keeper == nil:
		return errNoKeeper
	}
	return nil
}

// The table in front of a state machine's own snapshot:
//
//	tableMagic
//	length uvarint, head
//	number of sessions uvarint
//	length uvarint, session; for each, the least recently used one first
//
// Head and sessions are as package codec writes them. A snapshot that does not begin so was
// made before there were sessions, or by a state machine that keeps files of its own.
var tableMagic = []byte("\x00quorate\xf5sessions\x01")

// maxTableRecord bounds what is read for one session: an answer, and less than 1 KiB beside.
const maxTableRecord = maxPiece + 1<<10

// freeze gives a snapshot of the present state. It is called between two calls of Apply.
func (s *state) freeze() (machine.Snapshot, error) {
	frozen, err := s.machine.Snapshot()
	if err != nil || s.durable {
		return frozen, err
	}
	return &frozenState{Snapshot: frozen, serializer: s.serializer, table: s.table.Freeze()}, nil
}

type frozenState struct {
	machine.Snapshot
	serializer codec.Serializer
	table      session.Image
}

// WriteTo implements machine.Snapshot. It needs memory for one session.
func (f *frozenState) WriteTo(w io.Writer) (int64, error) {
	n, err := f.writeTable(w)
	if err != nil {
		return n, err
	}
	m, err := f.Snapshot.WriteTo(w)
	return n + m, err
}

func (f *frozenState) writeTable(w io.Writer) (written int64, err error) {
	var record []byte
	write := func(p []byte) {
		if err == nil {
			var n int
			n, err = w.Write(p)
			written += int64(n)
		}
	}
	add := func(e codec.Encoded, failed error) {
		if err = errors.Join(err, failed); err == nil {
			record = e.Bytes
			write(binary.AppendUvarint(nil, uint64(len(record))))
			write(record)
		}
	}
	write(tableMagic)
	add(f.serializer.EncodeSessionsHead(nil, f.table.Head))
	write(binary.AppendUvarint(nil, uint64(len(f.table.Sessions))))
	for _, x := range f.table.Sessions {
		if err != nil {
			break
		}
		add(f.serializer.EncodeSession(record[:0], x))
	}
	return written, err
}

// restore replaces the whole state by a snapshot's.
func (s *state) restore(last protocol.EntryID, r io.Reader) error {
	if s.durable {
		if err := s.machine.Restore(last, r); err != nil {
			return err
		}
		return s.load()
	}
	in := bufio.NewReaderSize(r, 64<<10)
	table, err := s.readTable(in)
	if err != nil {
		return fmt.Errorf("reading the sessions of the snapshot of entry %d: %w", last.Index, err)
	}
	if err := s.machine.Restore(last, in); err != nil {
		return err
	}
	return s.table.Restore(table)
}

func (s *state) readTable(in *bufio.Reader) (im session.Image, err error) {
	magic, err := in.Peek(len(tableMagic))
	if !bytes.Equal(magic, tableMagic) {
		if err == io.EOF {
			err = nil // it is shorter
		}
		return im, err
	}
	in.Discard(len(tableMagic)) //nolint:errcheck // they are there
	head, err := readRecord(in)
	if err != nil {
		return im, err
	}
	if im.Head, err = s.serializer.DecodeSessionsHead(head); err != nil {
		return im, err
	}
	n, err := binary.ReadUvarint(in)
	for ; err == nil && n > 0; n-- {
		var e codec.Encoded
		var x protocol.Session
		if e, err = readRecord(in); err == nil {
			x, err = s.serializer.DecodeSession(e)
			im.Sessions = append(im.Sessions, x)
		}
	}
	return im, err
}

// readRecord allocates as bytes arrive, not as many as are claimed.
func readRecord(in *bufio.Reader) (codec.Encoded, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return codec.Encoded{}, err
	}
	if n > maxTableRecord {
		return codec.Encoded{}, fmt.Errorf("a session of %d bytes is claimed, at most %d are possible", n, maxTableRecord)
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(n)))
	if err == nil && uint64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	return codec.Encoded{Bytes: b}, err
}

// The keys of a Keeper's records: the head's, and a session's with its client behind it.
const (
	keyHead    = 'h'
	keySession = 's'
)

func sessionKey(client uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keySession}, client)
}

// keep gives what a Keeper must keep since it was called last.
func (s *state) keep() ([]machine.Record, error) {
	changed, removed := s.table.Changes()
	records := make([]machine.Record, 0, 1+len(changed)+len(removed))
	head, err := s.serializer.EncodeSessionsHead(nil, s.table.Head())
	if err != nil {
		return nil, err
	}
	records = append(records, machine.Record{Key: []byte{keyHead}, Value: head.Bytes})
	for _, x := range changed {
		e, err := s.serializer.EncodeSession(nil, x)
		if err != nil {
			return nil, err
		}
		records = append(records, machine.Record{Key: sessionKey(x.Client), Value: e.Bytes})
	}
	for _, client := range removed {
		records = append(records, machine.Record{Key: sessionKey(client)})
	}
	return records, nil
}

// load reads the table that a Keeper keeps.
func (s *state) load() error {
	if s.keeper == nil {
		return nil
	}
	var im session.Image
	err := s.keeper.Kept(func(r machine.Record) (err error) {
		switch {
		case len(r.Key) == 1 && r.Key[0] == keyHead:
			im.Head, err = s.serializer.DecodeSessionsHead(codec.Encoded{Bytes: r.Value})
		case len(r.Key) == 9 && r.Key[0] == keySession:
			var x protocol.Session
			x, err = s.serializer.DecodeSession(codec.Encoded{Bytes: r.Value})
			im.Sessions = append(im.Sessions, x)
		default:
			err = fmt.Errorf("a record with the key %x is kept, which is not known here: install the version that wrote it", r.Key)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the sessions that the state machine keeps: %w", err)
	}
	return s.table.Restore(im)
}
