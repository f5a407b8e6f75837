package filelog_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// childDir is the variable that tells this test binary to be the process to be killed.
const childDir = "QUORATE_TEST_KILL_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Println(appendForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendForever appends and prints each index that is durable.
func appendForever(dir string) error {
	s, err := filelog.Open(vfs.OS{}, dir, filelog.Options{SegmentSize: 32 << 10})
	if err != nil {
		return err
	}
	for {
		last := s.Log.State().Last
		if last >= 1000 && last%1000 < 3 {
			if err := s.Log.Compact(last - 500); err != nil {
				return err
			}
		}
		done := make(chan error, 1)
		s.Log.Append(storagetest.Entries(1, last+1, 3), func(err error) { done <- err })
		if err := <-done; err != nil {
			return err
		}
		fmt.Println(last + 3)
	}
}

func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir() + "/data"
	opts := filelog.Options{SegmentSize: 32 << 10}
	if err := filelog.Format(vfs.OS{}, dir, identity, opts); err != nil {
		t.Fatal(err)
	}
	var acked protocol.Index
	for range 5 {
		acked = max(acked, killAfter(t, dir, 100))
		s, err := filelog.Open(vfs.OS{}, dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		state := s.Log.State()
		if state.Last < acked {
			t.Fatalf("entry %d was acknowledged, the log ends at %d", acked, state.Last)
		}
		n := int(state.Last - state.Base.Index)
		model := storagetest.Model{Base: state.Base, Entries: storagetest.Entries(1, state.Base.Index+1, n)}
		if d := storagetest.CompareLog(s.Log, model); d != "" {
			t.Fatal(d)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter lets another process append and kills it after so many answers. It gives the
// last index that was acknowledged.
func killAfter(t *testing.T, dir string, answers int) (acked protocol.Index) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		index, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			t.Fatalf("the other process says: %s", lines.Text())
		}
		acked = protocol.Index(index)
		if i == 0 {
			if _, err := filelog.Open(vfs.OS{}, dir, filelog.Options{}); !errors.Is(err, vfs.ErrLocked) {
				t.Errorf("open beside another process gave %v, want ErrLocked", err)
			}
		}
		if i == answers {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the other process was not killed: %v", err)
	}
	return acked
}
