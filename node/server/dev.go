package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/node/nodeapi"
)

// dev is what the command dev is told.
type dev struct {
	nodes    int
	basePort int
	dataDir  string
	logLevel string
}

// devPortStep is how far the ports of one member are from those of the next.
const devPortStep = 10

func devCommand(app App) *cobra.Command {
	var d dev
	c := &cobra.Command{
		Use: "dev", Short: "Run a small cluster in this process, on loopback", Args: noArgs,
		Long: `dev runs a cluster in one process on loopback, for development and for a first look.
Its data is durable: the same directory gives the same cluster again.`,
	}
	c.Flags().IntVar(&d.nodes, "nodes", 3, "number of members, 1 to 9")
	c.Flags().IntVar(&d.basePort, "base-port", nodeapi.ClientPort, "client port of the first member; its peer port is one higher, its admin port two; each further member is 10 higher")
	c.Flags().StringVar(&d.dataDir, "data-dir", "quorate-dev", "directory of all members")
	c.Flags().StringVar(&d.logLevel, "log-level", "error", "debug, info or error")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := d.validate(); err != nil {
			return usageError{err}
		}
		return d.run(c.Context(), app, c.OutOrStdout(), newLogger(c.ErrOrStderr(), d.logLevel))
	}
	return c
}

func (d *dev) validate() error {
	var errs []error
	if d.nodes < 1 || d.nodes > maxDevNodes {
		errs = append(errs, fmt.Errorf("--nodes is %d, must be 1 to %d", d.nodes, maxDevNodes))
	}
	if last := d.basePort + (d.nodes-1)*devPortStep + 2; d.basePort < 1 || last > 65535 {
		errs = append(errs, fmt.Errorf("--base-port is %d, so the ports would be %d to %d; they must be 1 to 65535", d.basePort, d.basePort, last))
	}
	if d.dataDir == "" {
		errs = append(errs, errors.New("--data-dir is empty: name a directory"))
	}
	if _, err := parseLevel(d.logLevel); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// run holds the cluster up until ctx ends.
func (d *dev) run(ctx context.Context, app App, out io.Writer, log logr.Logger) error {
	cluster, lock, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	members := make([]*Member, d.nodes)
	for i := range members {
		cfg := d.config(i, cluster)
		if err := cfg.validate(); err != nil {
			return err
		}
		if members[i], err = newMember(ctx, app, cfg, log.WithName(cfg.Name)); err != nil {
			for _, m := range members[:i] {
				m.admin.Close()
			}
			return err
		}
	}
	errs := make([]error, d.nodes)
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() {
			if errs[i] = m.run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	d.welcome(ctx, app, out, members)
	wg.Wait()
	fmt.Fprintf(out, "stopped; %s has the data\n", d.dataDir)
	return errors.Join(errs...)
}

func (d *dev) address(i, offset int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(d.basePort+i*devPortStep+offset))
}

func (d *dev) config(i int, cluster string) Config {
	var initial []string
	for j := range d.nodes {
		initial = append(initial, fmt.Sprintf("%d=%s", j+1, d.address(j, 1)))
	}
	return Config{
		Name: devName(i), DataDir: d.memberDir(i), MemberID: uint64(i + 1), ClusterID: cluster,
		ListenClient: d.address(i, 0), ListenPeer: d.address(i, 1), ListenAdmin: d.address(i, 2),
		AdvertiseClient: d.address(i, 0), AdvertisePeer: d.address(i, 1),
		InitialMembers: strings.Join(initial, ","), LogLevel: d.logLevel, Membership: nodeapi.MembershipByClients,
		ElectionTimeout: time.Second, HeartbeatInterval: 100 * time.Millisecond, SnapshotEntries: 100_000,
		stopAtOnce: true,
	}
}

// welcome waits until every member can serve, and tells what to try.
func (d *dev) welcome(ctx context.Context, app App, out io.Writer, members []*Member) {
	start := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	told := false
	for _, m := range members {
		for m.Ready(ctx) != nil {
			if !told && time.Since(start) > 5*time.Second {
				told = true
				fmt.Fprintf(out, "waiting for %s: %v\n", m.cfg.Name, m.Ready(ctx))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
	var endpoints []string
	for i := range members {
		endpoints = append(endpoints, d.address(i, 0))
	}
	s := members[0].Status()
	fmt.Fprintf(out, `%d members are ready after %.1f s; dev-%d leads in term %d; the data is in %s
  clients  %s
  status   curl http://%s%s
%sStop with Ctrl-C; the same command brings the same cluster back.
`, len(members), time.Since(start).Seconds(), s.LeaderID, s.Term, d.dataDir,
		strings.Join(endpoints, ","), d.address(0, 2), nodeapi.PathStatusz,
		suggest(app, endpoints))
}

// suggest gives what people may try, a line each.
func suggest(app App, clients []string) string {
	if app.Try == nil {
		return ""
	}
	return "\nTry:\n  " + strings.Join(app.Try(clients), "\n  ") + "\n"
}
