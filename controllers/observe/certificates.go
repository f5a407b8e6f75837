package observe

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/pki"
)

// CertificateKind is cert-manager's kind of what it shall sign.
var CertificateKind = schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"}

// gatherCertificates reads what there is of certificates, and what the operator shows to
// members.
func (o *Observed) gatherCertificates(ctx context.Context, src Source) error {
	o.Secrets = map[string]*corev1.Secret{}
	o.Certificates = map[string]*unstructured.Unstructured{}
	var err error
	switch o.Cluster.Spec.TLS.Mode {
	case v1alpha1.TLSDisabled:
		return nil
	case v1alpha1.TLSSecret:
		err = o.gatherTheirSecrets(ctx, src.Direct)
	case v1alpha1.TLSCertManager:
		err = errors.Join(o.gatherSecrets(ctx, src.Reader), o.gatherCertManager(ctx, src.Direct))
	default:
		err = o.gatherSecrets(ctx, src.Reader)
	}
	if err != nil {
		return err
	}
	if s := o.Secrets[o.Cluster.OperatorTLSName()]; s != nil {
		o.dial, o.dialErr = pki.ClientConfig(s.Data, o.Now)
	} else {
		o.dialErr = errors.New("the operator has no certificate yet to show to members")
	}
	return nil
}

// gatherSecrets reads those that carry the cluster's label: the operator's own, and those
// that cert-manager writes.
func (o *Observed) gatherSecrets(ctx context.Context, r client.Reader) error {
	var list corev1.SecretList
	if err := r.List(ctx, &list, o.scope()...); err != nil {
		return fmt.Errorf("list Secrets of %s/%s: %w", o.Cluster.Namespace, o.Cluster.Name, err)
	}
	for i := range list.Items {
		s := &list.Items[i]
		if metav1.IsControlledBy(s, o.Cluster) || Adoptable(o.Cluster, s) || o.Cluster.Spec.TLS.Mode == v1alpha1.TLSCertManager {
			o.Secrets[s.Name] = s
		}
	}
	return nil
}

// gatherTheirSecrets reads the Secrets that somebody else keeps: they carry no label, so
// they are in no cache.
func (o *Observed) gatherTheirSecrets(ctx context.Context, r client.Reader) error {
	for _, name := range []string{o.Cluster.Spec.TLS.Secrets.Members, o.Cluster.Spec.TLS.Secrets.Operator} {
		var s corev1.Secret
		err := r.Get(ctx, o.key(name), &s)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("read Secret %s/%s: %w", o.Cluster.Namespace, name, err)
		default:
			o.Secrets[name] = &s
		}
	}
	return nil
}

func (o *Observed) gatherCertManager(ctx context.Context, r client.Reader) error {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(CertificateKind)
	err := r.List(ctx, &list, o.scope()...)
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		o.NoCertManager = true
		return nil
	case err != nil:
		return fmt.Errorf("list Certificates of %s/%s: %w", o.Cluster.Namespace, o.Cluster.Name, err)
	}
	for i := range list.Items {
		if c := &list.Items[i]; metav1.IsControlledBy(c, o.Cluster) {
			o.Certificates[c.GetName()] = c
		}
	}
	return nil
}

// SecretData is what a Secret holds, nil for no such Secret.
func (o *Observed) SecretData(name string) map[string][]byte {
	s := o.Secrets[name]
	if s == nil {
		return nil
	}
	if s.Data == nil {
		return map[string][]byte{}
	}
	return s.Data
}

// Keys gives what is left to delete of a member's certificate, nil for nothing: first what asks
// cert-manager for it, which would have the Secret written again. A Secret that somebody else
// keeps is not meant.
func (o *Observed) Keys(m *Member) client.Object {
	name := o.Cluster.MemberTLSName(m.ID)
	if c := o.Certificates[name]; c != nil && c.GetDeletionTimestamp() == nil {
		return c
	}
	if s := o.Secrets[name]; s != nil && s.DeletionTimestamp == nil && s.Labels[v1alpha1.LabelMember] == strconv.FormatInt(m.ID, 10) {
		return s
	}
	return nil
}

// Subjects are all who need a certificate: the members that have not left, and then the others.
func (o *Observed) Subjects() []pki.Subject {
	c := o.Cluster
	all := make([]pki.Subject, 0, len(o.Members)+3)
	for i := range o.Members {
		if id := o.Members[i].ID; !c.Status.Gone(id) {
			all = append(all, pki.Member(c, id))
		}
	}
	all = append(all, pki.Operator(c), pki.Admin(c))
	if c.Spec.TLS.Clients.Enabled {
		all = append(all, pki.Client(c))
	}
	return all
}

// OwnCA is the picture that the operator's own CA is kept by, and what is due.
func (o *Observed) OwnCA() (pki.Picture, pki.Plan) { return o.ownCA, o.due }

// readOwnCA makes that picture, once the members have told what they use.
func (o *Observed) readOwnCA() {
	c, t := o.Cluster, o.Cluster.Spec.TLS
	if t.Mode != v1alpha1.TLSManaged && t.Mode != "" || c.Status.ClusterID == "" {
		return
	}
	o.ownCA = pki.Picture{
		Now: o.Now, Cluster: c.Name, CA: o.SecretData(c.CASecretName()),
		Terms: pki.Terms{CA: t.CADuration.Duration, Leaf: t.LeafDuration.Duration, RenewBefore: t.RenewBefore.Duration},
	}
	for _, s := range o.Subjects() {
		h := pki.Holder{Subject: s, Data: o.SecretData(s.Secret)}
		if m := o.Member(s.Member); m != nil {
			h.Runs = m.Pod != nil
			if m.Status != nil {
				h.Told = m.Status.TLS
			}
		}
		o.ownCA.Holders = append(o.ownCA.Holders, h)
	}
	o.due = pki.Next(o.ownCA)
}
