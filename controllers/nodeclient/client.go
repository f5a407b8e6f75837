package nodeclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/node/nodeapi"
)

// How long calls may take. A status is asked in every pass and must not hold it up; a
// transfer is answered when another member leads.
const (
	Timeout         = 2 * time.Second
	foundTimeout    = 5 * time.Second
	transferTimeout = 15 * time.Second
	changeTimeout   = 15 * time.Second
)

// answerLimit bounds what is read of an answer, in bytes.
const answerLimit = 1 << 20

// ErrUnsupported tells that the node does not know this verb; it is older than the operator.
var ErrUnsupported = errors.New("the node does not know this request")

// RefusedError tells that a change of the membership was refused: nothing was done.
type RefusedError struct {
	Reason  nodeapi.RefusalReason
	Message string // the node's
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the change of the membership is refused (%s): %s", e.Reason, e.Message)
}

// Target is a node to talk to.
type Target struct {
	Host      string // name in DNS, without port; stays when the pod is replaced
	IP        string // of the pod at the moment
	ClusterID string // that the node must tell
	MemberID  uint64 // that the node must tell

	// TLS holds whom to trust and what to show; nil: the node speaks plain HTTP. The node
	// must show a certificate for Host.
	TLS *tls.Config
}

// Client is what the operator asks of a node.
type Client interface {
	// Status asks /statusz.
	Status(ctx context.Context, t Target) (*nodeapi.Status, error)
	// Found gives an empty volume of that incarnation the right to act as a founding member.
	Found(ctx context.Context, t Target, incarnation string) error
	// Transfer asks a leader to hand leadership over. ErrUnsupported, if it cannot.
	Transfer(ctx context.Context, t Target) error
	// ChangeMembers asks the target, which must lead, for a change of the membership, and
	// gives the membership that results. ClusterID and Leader of the change are filled in from the
	// target. The error is a *RefusedError when nothing was done, and ErrUnsupported when
	// the node cannot; after any other the change may still take effect.
	ChangeMembers(ctx context.Context, t Target, c nodeapi.MemberChange) (*nodeapi.Membership, error)
}

// Dialer opens a connection to the admin port of a target. Another one serves for a
// port-forward, or for tests.
type Dialer func(ctx context.Context, t Target) (net.Conn, error)

// HTTP is the Client over HTTP. Create it with [New].
type HTTP struct {
	client *http.Client
}

// New gives a client; dial may be nil for the target's IP.
func New(dial Dialer) *HTTP {
	if dial == nil {
		dial = dialPod
	}
	plain := func(ctx context.Context, _, _ string) (net.Conn, error) {
		t, ok := ctx.Value(targetKey{}).(Target)
		if !ok {
			return nil, errors.New("nodeclient: a connection without a target")
		}
		return dial(ctx, t)
	}
	return &HTTP{client: &http.Client{
		Transport: &http.Transport{
			Proxy: nil, // pods are never behind the operator's proxy
			// A pod is asked a few times a minute and its address may be another's tomorrow.
			DisableKeepAlives: true,
			DialContext:       plain,
			DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				raw, err := plain(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return secure(ctx, raw)
			},
		},
	}}
}

// secure makes a connection to a target one by TLS.
func secure(ctx context.Context, raw net.Conn) (net.Conn, error) {
	t := ctx.Value(targetKey{}).(Target) //nolint:forcetypeassert // plain has found it there
	config := t.TLS.Clone()
	config.ServerName = t.Host
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

// targetKey carries the target from a call to the dialer.
type targetKey struct{}

func dialPod(ctx context.Context, t Target) (net.Conn, error) {
	if t.IP == "" {
		return nil, errors.New("the pod has no address yet")
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(t.IP, strconv.Itoa(nodeapi.AdminPort)))
}

// Status implements Client.
func (h *HTTP) Status(ctx context.Context, t Target) (*nodeapi.Status, error) {
	body, err := h.call(ctx, Timeout, t, http.MethodGet, nodeapi.PathStatusz, nil)
	if err != nil {
		return nil, err
	}
	var s nodeapi.Status
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("%s of %s: answer is not JSON as expected: %w", nodeapi.PathStatusz, t.Host, err)
	}
	if s.ClusterID != t.ClusterID || s.MemberID != t.MemberID {
		return nil, &ImpostorError{Target: t, ClusterID: s.ClusterID, MemberID: s.MemberID}
	}
	return &s, nil
}

// Found implements Client.
func (h *HTTP) Found(ctx context.Context, t Target, incarnation string) error {
	req := nodeapi.FoundRequest{ClusterID: t.ClusterID, MemberID: t.MemberID, Incarnation: incarnation}
	_, err := h.call(ctx, foundTimeout, t, http.MethodPost, nodeapi.PathFound, req)
	return err
}

// Transfer implements Client.
func (h *HTTP) Transfer(ctx context.Context, t Target) error {
	_, err := h.call(ctx, transferTimeout, t, http.MethodPost, nodeapi.PathTransfer, nil)
	return err
}

// ChangeMembers implements Client.
func (h *HTTP) ChangeMembers(ctx context.Context, t Target, c nodeapi.MemberChange) (*nodeapi.Membership, error) {
	c.ClusterID, c.Leader = t.ClusterID, t.MemberID
	body, err := h.call(ctx, changeTimeout, t, http.MethodPost, nodeapi.PathMembers, c)
	if err != nil {
		return nil, refusal(body, err)
	}
	var m nodeapi.Membership
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("%s of %s: answer is not JSON as expected: %w", nodeapi.PathMembers, t.Host, err)
	}
	return &m, nil
}

// refusal gives the *RefusedError that the answer tells, or else err.
func refusal(answer []byte, err error) error {
	var code *codeError
	if !errors.As(err, &code) || code.code != http.StatusConflict && code.code != http.StatusBadRequest {
		return err
	}
	var r nodeapi.Refusal
	if json.Unmarshal(answer, &r) != nil || r.Reason == "" {
		return err
	}
	return &RefusedError{Reason: r.Reason, Message: r.Message}
}

func (h *HTTP) call(ctx context.Context, timeout time.Duration, t Target, method, path string, in any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}
	ctx = context.WithValue(ctx, targetKey{}, t)
	scheme := "http://"
	if t.TLS != nil {
		scheme = "https://"
	}
	url := scheme + net.JoinHostPort(t.Host, strconv.Itoa(nodeapi.AdminPort)) + path
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	return answer, statusError(resp.StatusCode, method, url, answer)
}

func statusError(code int, method, url string, answer []byte) error {
	switch code {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return nil
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return fmt.Errorf("%s %s: %w (%d)", method, url, ErrUnsupported, code)
	}
	text := strings.TrimSpace(string(answer[:min(len(answer), 300)]))
	return &codeError{method: method, url: url, code: code, text: text}
}

// codeError tells that a node answered with a code that is no success.
type codeError struct {
	method, url string
	code        int
	text        string
}

func (e *codeError) Error() string {
	return fmt.Sprintf("%s %s: answered %d: %s", e.method, e.url, e.code, e.text)
}
