package server

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/go-logr/logr"
)

// serve is the command of that name. When it gives an error, its last words are in the
// file lastWords.
func serve(ctx context.Context, app App, cfg Config, log logr.Logger, lastWords string) error {
	log.Info("starting", "version", Version, "name", cfg.Name, "member", cfg.MemberID, "cluster", cfg.ClusterID, "dataDir", cfg.DataDir)
	m, err := newMember(ctx, app, cfg, log)
	if err != nil {
		leave(lastWords, nil, err)
		return err
	}
	if err := m.run(ctx); err != nil {
		leave(lastWords, m, err)
		return err
	}
	return nil
}

// leave writes why the process ends where Kubernetes shows it when a container has
// ended: the member's status when it has a fault, else the error's text. Outside a
// container the file does not exist, and nothing is written.
func leave(name string, m *Member, err error) {
	f, e := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if e != nil {
		return
	}
	defer f.Close()
	if m != nil {
		if s := m.Status(); s.Health != nil {
			json.NewEncoder(f).Encode(s) //nolint:errcheck // nobody is left to tell
			return
		}
	}
	fmt.Fprintln(f, err)
}
