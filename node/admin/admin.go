package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/quorate/quorate/node/nodeapi"
)

// Backend is the member behind the endpoint.
type Backend interface {
	// Status gives the present state; it works at all times.
	Status() nodeapi.Status
	// Ready gives nil when clients can be served, or the reason why not.
	Ready(context.Context) error
	// Faults gives what is kept, oldest first; ClearFaults forgets it.
	Faults() []nodeapi.Health
	ClearFaults() error
	// Transfer hands leadership to the member (0: the most up-to-date one) and returns
	// when this member does not lead.
	Transfer(ctx context.Context, to uint64) error
	// Found lets a volume that waits for it act as a founding member, or tells which
	// field of the request is not the member's own.
	Found(context.Context, nodeapi.FoundRequest) error
	// ChangeMembers makes one change of the membership, and gives the one that results. The
	// error is a *RefusedError when nothing was done; after any other the change may
	// still take effect.
	ChangeMembers(context.Context, nodeapi.MemberChange) (*nodeapi.Membership, error)
}

// RefusedError tells why a change of the membership was refused.
type RefusedError struct {
	nodeapi.Refusal
	Senseless bool // no membership could take the change: it is the request that must change
}

// Error implements error.
func (e *RefusedError) Error() string { return string(e.Reason) + ": " + e.Message }

// readyTimeout bounds a readiness check: a kubelet's probe waits about as long.
const readyTimeout = time.Second

// transferTimeout bounds a transfer of leadership.
const transferTimeout = 10 * time.Second

// changeTimeout bounds a change of the membership.
const changeTimeout = 10 * time.Second

// Handler gives the endpoint.
func Handler(b Backend, metrics prometheus.Gatherer) http.Handler {
	h := handler{b}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+nodeapi.PathLivez, h.livez)
	mux.HandleFunc("GET "+nodeapi.PathReadyz, h.readyz)
	mux.HandleFunc("GET "+nodeapi.PathStatusz, h.statusz)
	mux.Handle("GET "+nodeapi.PathMetrics, promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET "+nodeapi.PathFaults, h.faults)
	mux.HandleFunc("DELETE "+nodeapi.PathFaults, h.clearFaults)
	mux.HandleFunc("POST "+nodeapi.PathTransfer, h.transfer)
	mux.HandleFunc("POST "+nodeapi.PathFound, h.found)
	mux.HandleFunc("POST "+nodeapi.PathMembers, h.changeMembers)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

type handler struct{ b Backend }

func (h handler) livez(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

func (h handler) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := h.b.Ready(ctx); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (h handler) statusz(w http.ResponseWriter, _ *http.Request) { writeJSON(w, h.b.Status()) }

func (h handler) faults(w http.ResponseWriter, _ *http.Request) {
	fs := h.b.Faults()
	if fs == nil {
		fs = []nodeapi.Health{}
	}
	writeJSON(w, fs)
}

func (h handler) clearFaults(w http.ResponseWriter, _ *http.Request) {
	if err := h.b.ClearFaults(); err != nil {
		http.Error(w, "the faults are forgotten in memory but not on the volume: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// transfer takes an optional parameter "to", a member ID.
func (h handler) transfer(w http.ResponseWriter, r *http.Request) {
	to := uint64(0)
	if s := r.FormValue("to"); s != "" {
		var err error
		if to, err = strconv.ParseUint(s, 10, 64); err != nil || to == 0 {
			http.Error(w, fmt.Sprintf("parameter to is %q, must be a member ID such as 2", s), http.StatusBadRequest)
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), transferTimeout)
	defer cancel()
	switch err := h.b.Transfer(ctx, to); {
	case errors.Is(err, context.DeadlineExceeded):
		http.Error(w, "leadership was not taken over in time; this member still leads", http.StatusGatewayTimeout)
	case err != nil:
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// maxRequest bounds what is read of a request's body, in bytes.
const maxRequest = 4096

// decode reads a request's body; a field that is not known may be a word of a newer operator
// without which the rest means something else.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (h handler) found(w http.ResponseWriter, r *http.Request) {
	var req nodeapi.FoundRequest
	if err := decode(w, r, &req); err != nil {
		http.Error(w, "the body must be JSON with clusterID, memberID and incarnation: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := h.b.Found(r.Context(), req); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (h handler) changeMembers(w http.ResponseWriter, r *http.Request) {
	var req nodeapi.MemberChange
	if err := decode(w, r, &req); err != nil {
		writeCode(w, http.StatusBadRequest, nodeapi.Refusal{
			Reason: nodeapi.RefusedInvalid, Message: "the body must be JSON with clusterID, leader, and add, promote or remove: " + err.Error(),
		})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), changeTimeout)
	defer cancel()
	m, err := h.b.ChangeMembers(ctx, req)
	refused, ok := errors.AsType[*RefusedError](err)
	switch {
	case err == nil:
		writeJSON(w, m)
	case ok && refused.Senseless:
		writeCode(w, http.StatusBadRequest, refused.Refusal)
	case ok:
		writeCode(w, http.StatusConflict, refused.Refusal)
	default:
		http.Error(w, "it is not known whether the change takes effect, look at the membership again: "+err.Error(), http.StatusGatewayTimeout)
	}
}

func writeJSON(w http.ResponseWriter, v any) { writeCode(w, http.StatusOK, v) }

func writeCode(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(v) //nolint:errcheck // the client is gone
}
