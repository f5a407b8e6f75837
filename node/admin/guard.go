package admin

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"

	"github.com/quorate/quorate/node/nodeapi"
)

// Guard lets through who shows a verified certificate of the operator or of an admin of
// the cluster with that identity (nodeapi.URIOperator, nodeapi.URIAdmin), and everybody to
// GET what is in nodeapi.OpenPaths. Others get 403: a member's own certificate must not be able
// to change the membership.
func Guard(h http.Handler, identity string) http.Handler {
	may := []string{fmt.Sprintf(nodeapi.URIOperator, identity), fmt.Sprintf(nodeapi.URIAdmin, identity)}
	refusal := fmt.Sprintf("this needs a client certificate with the URI %s or %s", may[0], may[1])
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open(r) || named(r.TLS, may) {
			h.ServeHTTP(w, r)
			return
		}
		http.Error(w, refusal, http.StatusForbidden)
	})
}

func open(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && slices.Contains(nodeapi.OpenPaths, r.URL.Path)
}

// named tells whether a certificate that was verified carries one of the URIs.
func named(c *tls.ConnectionState, uris []string) bool {
	if c == nil || len(c.VerifiedChains) == 0 {
		return false
	}
	for _, u := range c.VerifiedChains[0][0].URIs {
		if slices.Contains(uris, u.String()) {
			return true
		}
	}
	return false
}
