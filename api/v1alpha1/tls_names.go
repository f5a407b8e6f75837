package v1alpha1

// CASecretName is the Secret of the cluster's own CA. No pod mounts it.
func (c *RaftCluster) CASecretName() string { return c.Name + "-ca" }

// MemberTLSName is the Secret of a member's certificate, but in mode Secret.
func (c *RaftCluster) MemberTLSName(id int64) string {
	if s := c.Spec.TLS.Secrets; s != nil {
		return s.Members
	}
	return c.MemberName(id) + "-tls"
}

// OperatorTLSName is the Secret of the certificate that the operator shows to members.
func (c *RaftCluster) OperatorTLSName() string {
	if s := c.Spec.TLS.Secrets; s != nil {
		return s.Operator
	}
	return c.Name + "-operator-tls"
}

// AdminTLSName is the Secret of a certificate for people, which members let do everything.
func (c *RaftCluster) AdminTLSName() string { return c.Name + "-admin-tls" }

// ClientTLSName is the Secret of a certificate for clients of the store.
func (c *RaftCluster) ClientTLSName() string { return c.Name + "-client-tls" }

// TLSIdentity is the name of the cluster in the URIs of certificates.
func (c *RaftCluster) TLSIdentity() string { return c.Name + "." + c.Namespace }

// TLS tells whether members, operator and people speak TLS.
func (c *RaftCluster) TLS() bool { return c.Spec.TLS.Mode != TLSDisabled }
