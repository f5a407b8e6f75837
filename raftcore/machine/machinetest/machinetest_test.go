package machinetest_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
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
