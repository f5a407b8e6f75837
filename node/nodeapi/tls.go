package nodeapi

import "time"

// Who somebody is stands in a certificate as a URI. %s is the identity of the cluster
// (--tls-identity): only certificates that name it count, so that clusters may share a
// CA. %d is a member's ID.
const (
	URIMember   = uriPrefix + "%s/member/%d" // may act as that member towards the others
	URIOperator = uriPrefix + "%s/operator"  // may use the whole admin endpoint
	URIAdmin    = uriPrefix + "%s/admin"     // the same, for people
	URIClient   = uriPrefix + "%s/client"    // may be a client, and nothing else

	uriPrefix = "quorate://"
)

// OpenPaths need no certificate of a client: kubelets have none, and metrics are read by
// many. Every other path does where the admin endpoint has a CA file: one that names the
// operator or an admin of this very cluster, else the answer is 403.
var OpenPaths = []string{PathLivez, PathReadyz, PathMetrics}

// TLS tells which files the endpoints of a member use. An absent endpoint speaks no TLS.
type TLS struct {
	Peer   *TLSFiles `json:"peer,omitempty"`
	Client *TLSFiles `json:"client,omitempty"`
	Admin  *TLSFiles `json:"admin,omitempty"`
}

// TLSFiles is what an endpoint has loaded and uses for new connections.
type TLSFiles struct {
	Serial   string    `json:"serial"`            // of its certificate, hexadecimal, small letters
	NotAfter time.Time `json:"notAfter"`          // until when it holds
	Trusted  []string  `json:"trusted"`           // serials of the CAs whose certificates it takes
	Problem  string    `json:"problem,omitempty"` // why newer files are not used
}
