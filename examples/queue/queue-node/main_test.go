package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything that must happen may take on a busy machine.
const patience = 60 * time.Second

// asNode makes the test's binary behave as the node's.
const asNode = "QUEUE_NODE_IS_WANTED"

func TestMain(m *testing.M) {
	if os.Getenv(asNode) != "" {
		main()
	}
	os.Exit(m.Run())
}

// freeBase gives a port with nine free ones behind it, as three members need them.
func freeBase(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		base := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if base+22 < 1<<16 && free(base) {
			return base
		}
	}
	t.Fatal("found no free ports for three members")
	return 0
}

func free(base int) bool {
	for _, member := range []int{0, 10, 20} {
		for port := range 3 {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+member+port)))
			if err != nil {
				return false
			}
			defer l.Close()
		}
	}
	return true
}

// startNode runs three members in a process. stop ends it in order.
func startNode(t *testing.T, base int, dir string) (stop func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "dev", "--base-port", strconv.Itoa(base), "--data-dir", dir)
	cmd.Env = append(os.Environ(), asNode+"=1")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// post asks a member again and again until it serves.
func post(t *testing.T, base, member int, path, body string) string {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := postOnce(base+10*(member-1), path, body)
		if err == nil {
			return answer
		}
		select {
		case <-deadline:
			t.Fatalf("member %d does not serve %s: %v", member, path, err)
		case <-tick.C:
		}
	}
}

func postOnce(port int, path, body string) (string, error) {
	r, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d%s", port, path), "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if r.StatusCode == http.StatusServiceUnavailable {
		err = fmt.Errorf("%s", b)
	}
	return strings.TrimSpace(string(b)), err
}

// A state machine of one's own is served by a cluster, every member takes its commands,
// and it is there again after a restart.
func TestQueueNode(t *testing.T) {
	base, dir := freeBase(t), t.TempDir()
	stop := startNode(t, base, dir)
	for i, item := range []string{"one", "two", "three"} {
		if got := post(t, base, i+1, "/put", item); got != strconv.Itoa(i+1) {
			t.Errorf("put of %q at member %d gave %q, want %d", item, i+1, got, i+1)
		}
	}
	if got := post(t, base, 2, "/take", ""); got != "one" {
		t.Errorf("the first take gave %q, want one", got)
	}
	stop()
	startNode(t, base, dir)
	for i, want := range []string{"two", "three", "the queue is empty"} {
		if got := post(t, base, i+1, "/take", ""); got != want {
			t.Errorf("take at member %d gave %q, want %q", i+1, got, want)
		}
	}
}
