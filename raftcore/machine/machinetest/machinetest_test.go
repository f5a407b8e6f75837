package machinetest_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/machine/machinetest"
	"github.com/quorate/quorate/raftcore/protocol"
)

// counter is the smallest state machine that is worth replicating: a command is one
// byte that is added, and the result is the sum.
type counter struct{ sum uint64 }

func (c *counter) Apply(commands []machine.Command, results []machine.Result) error {
	for i, cmd := range commands {
		c.sum = c.sum*3 + uint64(cmd.Payload[0])
		results[i] = machine.Result{Value: c.sum}
	}
	return nil
}

func (c *counter) Snapshot() (machine.Snapshot, error) { return frozenCounter(c.sum), nil }

func (c *counter) Restore(_ protocol.EntryID, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if len(b) != 12 || crc32.ChecksumIEEE(b[:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return fmt.Errorf("a counter's snapshot of %d bytes is damaged", len(b))
	}
	c.sum = binary.LittleEndian.Uint64(b)
	return nil
}

func (c *counter) Close() error { return nil }

func (c *counter) EncodeResult(r machine.Result) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(nil, r.Value.(uint64)), nil
}

func (c *counter) DecodeResult(b []byte) (machine.Result, error) {
	if len(b) != 8 {
		return machine.Result{}, fmt.Errorf("a result of %d bytes", len(b))
	}
	return machine.Result{Value: binary.LittleEndian.Uint64(b)}, nil
}

type frozenCounter uint64

func (f frozenCounter) WriteTo(w io.Writer) (int64, error) {
	b := binary.LittleEndian.AppendUint64(nil, uint64(f))
	n, err := w.Write(binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
	return int64(n), err
}

func (f frozenCounter) Close() error { return nil }

func TestCounter(t *testing.T) {
	machinetest.TestStateMachine(t, machinetest.Kit{
		Open:    func(testing.TB, string) machine.StateMachine { return &counter{} },
		Command: func(i int) []byte { return []byte{byte(i)} },
		State: func(_ testing.TB, m machine.StateMachine) string {
			return fmt.Sprint(m.(*counter).sum)
		},
	})
}

// filed is a counter in a file, which has everything in one piece.
type filed struct {
	counter
	path    string
	applied protocol.EntryID
	records map[string][]byte
}

// content is what the file and a snapshot have.
type content struct {
	Sum     uint64
	Applied protocol.EntryID
	Records map[string][]byte
}

func openFiled(t testing.TB, dir string) machine.StateMachine {
	f := &filed{path: filepath.Join(dir, "counter"), records: map[string][]byte{}}
	if b, err := os.ReadFile(f.path); err == nil {
		if err := f.set(b); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *filed) set(b []byte) error {
	if len(b) < 4 || crc32.ChecksumIEEE(b[4:]) != binary.LittleEndian.Uint32(b) {
		return fmt.Errorf("%d bytes are damaged", len(b))
	}
	c := content{Records: map[string][]byte{}}
	if err := json.Unmarshal(b[4:], &c); err != nil {
		return err
	}
	f.sum, f.applied, f.records = c.Sum, c.Applied, c.Records
	return nil
}

func (f *filed) get() frozenFile {
	b, err := json.Marshal(content{f.sum, f.applied, f.records})
	if err != nil {
		panic(err)
	}
	return append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)), b...)
}

func (f *filed) Apply(cs []machine.Command, rs []machine.Result) error {
	if n := len(cs); n > 0 {
		f.applied = protocol.EntryID{Term: cs[n-1].Term, Index: cs[n-1].Index}
	}
	return f.counter.Apply(cs, rs)
}

func (f *filed) ApplyAndKeep(cs []machine.Command, rs []machine.Result, keep func() ([]machine.Record, error)) error {
	if err := f.Apply(cs, rs); err != nil {
		return err
	}
	records, err := keep()
	for _, r := range records {
		if r.Value == nil {
			delete(f.records, string(r.Key))
		} else {
			f.records[string(r.Key)] = r.Value
		}
	}
	return err
}

func (f *filed) Kept(each func(machine.Record) error) error {
	for key, value := range f.records {
		if err := each(machine.Record{Key: []byte(key), Value: value}); err != nil {
			return err
		}
	}
	return nil
}

func (f *filed) Applied() protocol.EntryID { return f.applied }

func (f *filed) Sync() (protocol.EntryID, error) {
	return f.applied, os.WriteFile(f.path, f.get(), 0o600)
}

func (f *filed) Snapshot() (machine.Snapshot, error) { return f.get(), nil }

func (f *filed) Restore(last protocol.EntryID, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := f.set(b); err != nil {
		return err
	}
	f.applied = last
	_, err = f.Sync()
	return err
}

type frozenFile []byte

func (f frozenFile) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(f)
	return int64(n), err
}

func (frozenFile) Close() error { return nil }

func TestFiled(t *testing.T) {
	machinetest.TestStateMachine(t, machinetest.Kit{
		Open:    openFiled,
		Command: func(i int) []byte { return []byte{byte(i)} },
		State: func(_ testing.TB, m machine.StateMachine) string {
			return fmt.Sprint(m.(*filed).sum)
		},
	})
}
