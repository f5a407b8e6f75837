package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/quorate/quorate/node/nodeapi"
)

// A wrong command line ends the process with code 2, with what is wrong and where to
// look.
func TestServeWrongFlags(t *testing.T) {
	t.Parallel()
	good := serveArgs(10_000, 1, 1, t.TempDir())
	for _, c := range []struct {
		name string
		args []string
		env  []string
		want string
	}{
		{"unknown flag", []string{"serve", "--dta-dir=x"}, nil, "unknown flag: --dta-dir"},
		{"nothing given", []string{"serve"}, nil, "--member-id is not set"},
		{"wrong value", append(good, "--election-timeout=5"), nil, `--election-timeout is "5", must be a time with its unit`},
		{"TLS in part", append(good, "--peer-cert-file=x"), nil, "TLS for the peer endpoint needs"},
		{"wrong variable", good, []string{"QUORATE_HEARTBEAT_INTERVAL=fast"}, "environment variable QUORATE_HEARTBEAT_INTERVAL"},
		{"variable out of range", good, []string{"QUORATE_SNAPSHOT_ENTRIES=0"}, "--snapshot-entries is 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := start(t, c.name, binary, c.env, c.args...).exits(2)
			if !strings.Contains(out, c.want) || !strings.Contains(out, "Run 'quorate-node serve --help' for the flags.\n") {
				t.Errorf("it prints %q, want %q and the hint", out, c.want)
			}
		})
	}
}

// Everything can be given by the environment; a flag wins.
func TestServeByEnvironment(t *testing.T) {
	t.Parallel()
	base, h := freeBase(t, 1), plainHTTP(t)
	var env []string
	args := serveArgs(base, 1, 1, t.TempDir())
	for i := 1; i < len(args); i += 2 {
		env = append(env, nodeapi.EnvPrefix+strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(args[i], "--"), "-", "_"))+"="+args[i+1])
	}
	env = append(env, "QUORATE_ELECTION_TIMEOUT=500ms", "QUORATE_LOG_LEVEL=debug")
	p := start(t, "serve", binary, env, "serve", "--name=from-flag")
	admin := "http://" + address(base, 1, adminPort)
	ready(t, h, admin)
	s, err := status(h, admin)
	if err != nil || s.Name != "from-flag" || s.MemberID != 1 || s.ClusterID != "c" || s.Role != nodeapi.RoleLeader {
		t.Errorf("status is %+v, %v", s, err)
	}
	if out := p.stop(syscall.SIGTERM); !strings.Contains(out, `"msg":"stopped"`) {
		t.Errorf("it ends with %q", out)
	}
}

// A member whose certificate cannot be used for peers or clients stays alive and tells
// it; with the right files it is well again. Without an admin endpoint nobody could ask it: the
// process ends.
func TestServeUselessTLS(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "ca")
	for _, endpoint := range []string{"peer", "client"} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			files := newSecret(t)
			files.put(ca.leaf(t), ca.leaf(t), ca)
			base, h := freeBase(t, 1), plainHTTP(t)
			args, admin := serveArgs(base, 1, 1, t.TempDir(), files.flags(endpoint)...), "http://"+address(base, 1, adminPort)
			p := node(t, "serve", args...)
			p.says("holding: alive and fenced")
			wantTLSInvalid(t, h, admin, files.path("tls.crt"))
			p.stop(syscall.SIGTERM)
			good := ca.leaf(t)
			files.put(good, good, ca)
			again := node(t, "serve again", args...)
			ready(t, h, admin)
			again.stop(syscall.SIGTERM)
		})
	}
	t.Run("admin", func(t *testing.T) {
		t.Parallel()
		files := newSecret(t)
		files.put(ca.leaf(t), ca.leaf(t), ca)
		out := node(t, "serve", serveArgs(freeBase(t, 1), 1, 1, t.TempDir(), files.flags("admin")...)...).exits(1)
		want := "quorate-node: TLSInvalid: TLS for the admin endpoint: certificate " + files.path("tls.crt") + " with key " +
			files.path("tls.key") + ": tls: private key does not match public key\n"
		if !strings.HasSuffix(out, want) {
			t.Errorf("it ends with %q, want %q", out, want)
		}
	})
}

func wantTLSInvalid(t *testing.T, h *http.Client, admin, file string) {
	t.Helper()
	s, err := status(h, admin)
	if err != nil || s.Role != nodeapi.RoleFenced || s.Health == nil {
		t.Fatalf("status is %+v, %v", s, err)
	}
	if x := s.Health; x.Fault != "TLSInvalid" || x.Remedy != "Operator" || !strings.Contains(x.Message, file) {
		t.Errorf("health is %+v", x)
	}
	for path, want := range map[string]int{nodeapi.PathLivez: http.StatusOK, nodeapi.PathReadyz: http.StatusServiceUnavailable} {
		if code, body, err := get(h, admin+path); code != want || err != nil {
			t.Errorf("%s answers %d: %s, %v", path, code, body, err)
		}
	}
}
