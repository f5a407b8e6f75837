package server

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// tally is a state machine that counts commands and serves no clients.
type tally struct{ n uint64 }

func newTally(Env) (machine.StateMachine, error) { return &tally{}, nil }

func (t *tally) Apply(cs []machine.Command, rs []machine.Result) error {
	for i := range cs {
		t.n++
		rs[i].Value = t.n
	}
	return nil
}
func (t *tally) Snapshot() (machine.Snapshot, error)       { return frozenTally(t.n), nil }
func (t *tally) Restore(protocol.EntryID, io.Reader) error { return nil }
func (t *tally) Close() error                              { return nil }

type frozenTally uint64

func (frozenTally) WriteTo(io.Writer) (int64, error) { return 0, nil }
func (frozenTally) Close() error                     { return nil }

var app = App{NewMachine: newTally}

func runCLI(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run(app, args, &out, &errs)
	return code, out.String(), errs.String()
}

// A wrong command line is told at once: what is wrong, and what to do.
func TestBadCommandLines(t *testing.T) {
	good := []string{"serve", "--member-id=1", "--cluster-id=c", "--initial-members=1=127.0.0.1:2380", "--data-dir=" + t.TempDir()}
	with := func(more ...string) []string { return append(append([]string{}, good...), more...) }
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"srve"}, `there is no command "srve"`},
		{"unknown flag", with("--dta-dir=x"), "unknown flag: --dta-dir"},
		{"argument", with("x"), `takes no arguments, only flags; got ["x"]`},
		{"nothing given", []string{"serve"}, "--member-id is not set"},
		{"no cluster", []string{"serve", "--member-id=1", "--join"}, "--cluster-id is not set"},
		{"joins from nowhere", []string{"serve", "--member-id=4", "--cluster-id=c", "--join"}, "--join without --initial-members needs --advertise-peer"},
		{"neither founds nor joins", []string{"serve", "--member-id=1", "--cluster-id=c"}, "neither --initial-members nor --join is given"},
		{"member ID no number", []string{"serve", "--member-id=one"}, `--member-id is "one", must be a whole number, not negative`},
		{"not among the members", []string{"serve", "--member-id=2", "--cluster-id=c", "--initial-members=1=h:2380"}, "does not name it"},
		{"member without address", []string{"serve", "--member-id=1", "--cluster-id=c", "--initial-members=1"}, `"1", must be like 1=host:2380`},
		{"member address without port", []string{"serve", "--member-id=1", "--cluster-id=c", "--initial-members=1=h"}, `address "h" for member 1, must be host:port`},
		{"member twice", []string{"serve", "--member-id=1", "--cluster-id=c", "--initial-members=1=h:1,1=h:2"}, "names member 1 twice"},
		{"election too fast", with("--election-timeout=200ms"), "at least five times --heartbeat-interval"},
		{"heartbeat too fast", with("--heartbeat-interval=1ms"), "must be at least 5ms"},
		{"duration without unit", with("--election-timeout=5"), `--election-timeout is "5", must be a time with its unit`},
		{"members by nobody", with("--membership=nobody"), `--membership is "nobody", must be clients or operator`},
		{"snapshots never", with("--snapshot-entries=0"), "--snapshot-entries is 0"},
		{"log level", with("--log-level=loud"), `--log-level is "loud", must be debug, info or error`},
		{"listen address", with("--listen-peer=2380"), `--listen-peer is "2380", must be host:port`},
		{"certificate without key", with("--peer-cert-file=x"), "--peer-cert-file, --peer-key-file and --peer-ca-file together"},
		{"client certificate without key", with("--client-cert-file=x"), "--client-cert-file and --client-key-file together"},
		{"dev nodes", []string{"dev", "--nodes=0"}, "--nodes is 0, must be 1 to 9"},
		{"dev nodes no number", []string{"dev", "--nodes=x"}, "Run 'quorate-node dev --help'"},
		{"dev ports", []string{"dev", "--base-port=65530"}, "the ports would be 65530 to 65552"},
		{"log without directory", []string{"log", "dump"}, "data directory"},
		{"log of two directories", []string{"log", "verify", "a", "b"}, "data directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := runCLI(c.args...)
			if code != 2 || !strings.Contains(stderr, c.want) {
				t.Errorf("code %d, want 2; prints %q, want %q in it", code, stderr, c.want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := runCLI("version"); code != 0 || !strings.HasPrefix(out, "quorate-node "+Version) {
		t.Errorf("code %d, prints %q", code, out)
	}
}

// Each flag can be given by the environment; a flag on the command line wins; a wrong
// value names the variable.
func TestEnvironment(t *testing.T) {
	env := map[string]string{"QUORATE_MEMBER_ID": "7", "QUORATE_NAME": "from-env"}
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	parse := func(args ...string) (Config, error) {
		var c Config
		f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		c.flags(f)
		if err := f.Parse(args); err != nil {
			t.Fatal(err)
		}
		return c, fromEnv(f, lookup)
	}
	c, err := parse("--name=from-flag")
	if err != nil || c.MemberID != 7 || c.Name != "from-flag" {
		t.Errorf("got member %d, name %q, %v", c.MemberID, c.Name, err)
	}
	env["QUORATE_MEMBER_ID"] = "seven"
	if _, err := parse(); err == nil || !strings.Contains(err.Error(), `QUORATE_MEMBER_ID: --member-id is "seven", must be a whole number`) {
		t.Errorf("a wrong value gives %v", err)
	}
}

func TestOtherMembersNamesAndAddresses(t *testing.T) {
	for _, c := range []struct{ own, want2, wantAddress string }{
		{"demo-1", "demo-2", "demo-2-0.demo-peers:2379"},
		{"lonely", "2", "demo-2-0.demo-peers:2379"},
	} {
		cfg := Config{Name: c.own, MemberID: 1, ListenClient: "0.0.0.0:2379", AdvertisePeer: "demo-1-0.demo-peers:2380"}
		if got := cfg.nameOf(2); got != c.want2 {
			t.Errorf("member 2 beside %s is called %q, want %q", c.own, got, c.want2)
		}
		if got := cfg.clientAddressOf("demo-2-0.demo-peers:2380"); got != c.wantAddress {
			t.Errorf("client address %q, want %q", got, c.wantAddress)
		}
	}
}

// A port that somebody else has ends the process at once, with the flag's name.
func TestPortTaken(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	m, stop := startMember(t, app, cfg)
	defer stop() //nolint:errcheck // what counts is the other process
	awaitReady(t, m)
	args := []string{
		"serve", "--member-id=1", "--cluster-id=c", "--initial-members=1=" + cfg.AdvertisePeer,
		"--data-dir=" + filepath.Join(t.TempDir(), "other"), "--listen-admin=127.0.0.1:0", "--listen-client=127.0.0.1:0", "--listen-peer=" + cfg.ListenPeer,
	}
	code, _, stderr := runCLI(args...)
	if code != 1 || !strings.Contains(stderr, "--listen-peer: listen tcp "+cfg.ListenPeer) {
		t.Errorf("code %d, prints %q", code, stderr)
	}
}
