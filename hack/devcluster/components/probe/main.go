package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const (
	dir         = "/data"
	peerTimeout = 2 * time.Second
)

func main() {
	if len(os.Args) > 1 { // for kubectl exec: an image has no shell
		fmt.Println(os.Args[1:])
		return
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// serve answers until SIGTERM.
func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: ":8080", Handler: handlers(), ReadHeaderTimeout: peerTimeout}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return server.ListenAndServe()
}

func handlers() http.Handler {
	mux := http.NewServeMux()
	handle(mux, "/", func(*http.Request) (string, error) { return os.Hostname() })
	handle(mux, "/put", func(r *http.Request) (string, error) { return "ok", put(r.FormValue("v")) })
	handle(mux, "/get", func(*http.Request) (string, error) {
		b, err := os.ReadFile(filepath.Join(dir, "v"))
		return string(b), err
	})
	handle(mux, "/fetch", func(r *http.Request) (string, error) { return fetch(r.Context(), r.FormValue("url")) })
	handle(mux, "/lookup", func(r *http.Request) (string, error) {
		a, err := net.DefaultResolver.LookupHost(r.Context(), r.FormValue("host"))
		return fmt.Sprint(a), err
	})
	return mux
}

func handle(mux *http.ServeMux, path string, f func(*http.Request) (string, error)) {
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		answer, err := f(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintln(w, answer)
	})
}

func put(v string) error {
	f, err := os.Create(filepath.Join(dir, "v"))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(v); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func fetch(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return string(b), err
}
