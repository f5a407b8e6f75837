package server

import (
	"context"
	"encoding/json"
	"os"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/node/nodeapi"
)

// serve is the command of that name.
func serve(ctx context.Context, app App, cfg Config, log logr.Logger) error {
	log.Info("starting", "version", Version, "name", cfg.Name, "member", cfg.MemberID, "cluster", cfg.ClusterID, "dataDir", cfg.DataDir)
	m, err := newMember(app, cfg, log)
	if err != nil {
		return err
	}
	if err := m.run(ctx); err != nil {
		m.lastWords(nodeapi.TerminationMessagePath)
		return err
	}
	return nil
}

// lastWords leaves the status where Kubernetes shows it when a container has ended.
// Outside a container the file does not exist, and nothing is written.
func (m *Member) lastWords(path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return
	}
	defer f.Close()
	json.NewEncoder(f).Encode(m.Status()) //nolint:errcheck // nobody is left to tell
}
