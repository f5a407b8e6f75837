package server

import (
	"path/filepath"
	"strings"
	"testing"
)

// log dump and log verify tell what is in a directory, whole or damaged.
func TestLogCommands(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	m, stop := startMember(t, app, cfg)
	awaitReady(t, m)
	for range 5 {
		propose(t, m)
	}
	stop() //nolint:errcheck // it ends in order
	code, out, _ := runCLI("log", "dump", cfg.DataDir)
	if code != 0 || strings.Count(out, "Command") != 5 || strings.Count(out, "NoOp") != 1 {
		t.Errorf("dump: code %d, prints\n%s", code, out)
	}
	code, out, _ = runCLI("log", "verify", cfg.DataDir)
	for _, want := range []string{`member 1 (m-1) of cluster "c"`, "entries 1 to 6", "ok\n"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("verify: code %d, want %q in\n%s", code, want, out)
		}
	}
	spoilLog(t, cfg.DataDir)
	code, out, stderr := runCLI("log", "verify", cfg.DataDir)
	if code != 1 || !strings.Contains(out, "damage: ") || !strings.Contains(out, "repairable: entry 2 of term ") || !strings.Contains(stderr, "gets from the others") {
		t.Errorf("verify of a damaged log: code %d, prints\n%s%s", code, out, stderr)
	}
	if code, out, _ = runCLI("log", "dump", cfg.DataDir); code != 0 || !strings.Contains(out, "damaged") {
		t.Errorf("dump of a damaged log: code %d, prints\n%s", code, out)
	}
	code, _, stderr = runCLI("log", "verify", filepath.Join(cfg.DataDir, "nothing"))
	if code != 1 || !strings.Contains(stderr, "is not a member's data directory") {
		t.Errorf("verify of nothing: code %d, prints %s", code, stderr)
	}
}
