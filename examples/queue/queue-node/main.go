package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/quorate/quorate/examples/queue"
	"github.com/quorate/quorate/node/server"
	"github.com/quorate/quorate/raftcore/machine"
)

func main() {
	server.Main(server.App{
		Name:       "queue-node",
		NewMachine: func(server.Env) (machine.StateMachine, error) { return &served{new(queue.Queue)}, nil },
		Try: func(clients []string) []string {
			return []string{`curl -d "an item" ` + clients[0] + "/put", "curl -X POST " + clients[len(clients)-1] + "/take"}
		},
	})
}

// served is a queue with clients that speak HTTP.
type served struct{ *queue.Queue }

var _ server.ClientAPI = (*served)(nil)

// ServeClients implements server.ClientAPI.
func (*served) ServeClients(n *server.Node, l net.Listener) (stop func(), err error) {
	paths := http.NewServeMux()
	paths.HandleFunc("POST /put", func(w http.ResponseWriter, r *http.Request) {
		item, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		propose(n, w, r, queue.Put(string(item)))
	})
	paths.HandleFunc("POST /take", func(w http.ResponseWriter, r *http.Request) { propose(n, w, r, queue.Take()) })
	s := &http.Server{Handler: paths, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }() //nolint:errcheck // it ends by Close
	return func() { s.Close(); <-done }, nil
}

// propose replicates a command and answers with its result.
func propose(n *server.Node, w http.ResponseWriter, r *http.Request, command []byte) {
	switch result, err := n.Propose(r.Context(), command); {
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case errors.Is(result.Err, queue.ErrEmpty):
		http.Error(w, result.Err.Error(), http.StatusNotFound)
	default:
		fmt.Fprintln(w, result.Value)
	}
}
