package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr/testr"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/machine"
)

// lastWords runs serve, which must fail, and gives what it left in the file.
func lastWords(t *testing.T, app App, cfg Config) (text string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(file, []byte("of a former container, and longer than what follows"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err = serve(ctx, app, cfg, testr.New(t), file); err == nil {
		t.Fatal("serve ended without an error")
	}
	b, e := os.ReadFile(file)
	if e != nil {
		t.Fatal(e)
	}
	return string(b), err
}

// A process that ends because of a fault leaves the member's status.
func TestLastWordsOfFault(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	for _, c := range []struct {
		name string
		app  App
		tls  TLSFiles
		kind fault.Kind
		want string
	}{
		{
			name: "the embedder wants it", kind: fault.ApplyFailed, want: "disk on fire",
			app: App{
				NewMachine:      func(Env) (machine.StateMachine, error) { return nil, errors.New("disk on fire") },
				OnUnrecoverable: func(*fault.Fault) fault.Decision { return fault.Die },
			},
		},
		{
			name: "a newer version of the machine was here", kind: fault.ConfigInvalid, want: "format 9",
			app: App{
				NewMachine:      func(Env) (machine.StateMachine, error) { return nil, fmt.Errorf("format 9: %w", machine.ErrNewer) },
				OnUnrecoverable: func(*fault.Fault) fault.Decision { return fault.Die },
			},
		},
		{name: "no admin endpoint", kind: fault.TLSInvalid, want: "TLS for the admin endpoint", app: app, tls: TLSFiles{Cert: "none.crt", Key: "none.key"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := cfg
			cfg.AdminTLS = c.tls
			text, err := lastWords(t, c.app, cfg)
			var s nodeapi.Status
			if e := json.Unmarshal([]byte(text), &s); e != nil {
				t.Fatalf("%v in %q", e, text)
			}
			if s.MemberID != 1 || s.Role != nodeapi.RoleFenced || s.Health == nil {
				t.Fatalf("the status is %+v", s)
			}
			if h := s.Health; h.Fault != string(c.kind) || h.Remedy != string(c.kind.Remedy()) || !strings.Contains(h.Message, c.want) {
				t.Errorf("health is %+v", h)
			}
			if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Kind != c.kind {
				t.Errorf("serve gives %v", err)
			}
		})
	}
}

// A process that cannot run here, without a fault of the member, leaves the reason.
func TestLastWordsOfError(t *testing.T) {
	running := testConfig(t, 1, 1)
	m, _ := startMember(t, app, running)
	awaitReady(t, m)
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"admin port", func(c *Config) { c.ListenAdmin = running.ListenAdmin }, "--listen-admin: listen tcp"},
		{"client port", func(c *Config) { c.ListenClient = running.ListenPeer }, "--listen-client: listen tcp"},
		{"data directory", func(c *Config) { c.DataDir = running.DataDir }, "used by another process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig(t, 1, 1)
			c.change(&cfg)
			text, err := lastWords(t, app, cfg)
			if text != err.Error()+"\n" || !strings.Contains(text, c.want) {
				t.Errorf("the last words are %q, the error %v, want %q", text, err, c.want)
			}
		})
	}
}
