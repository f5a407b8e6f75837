package raftcluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/pki"
)

// keepCertificates does what is due about certificates: it writes Secrets, or asks
// cert-manager to. No pod is restarted by that.
func (r *Reconciler) keepCertificates(ctx context.Context, o *observe.Observed) error {
	switch o.Cluster.Spec.TLS.Mode {
	case v1alpha1.TLSDisabled, v1alpha1.TLSSecret:
		return nil
	case v1alpha1.TLSCertManager:
		return r.keepRequests(ctx, o)
	}
	p, due := o.OwnCA()
	errs := []error{r.adoptSecrets(ctx, o)}
	var done []pki.Step
	for _, s := range due.Steps {
		wrote, err := r.takeStep(ctx, o, p, s)
		errs = append(errs, err)
		if wrote {
			done = append(done, s)
		}
	}
	r.tellCertificates(o, done)
	return errors.Join(errs...)
}

// takeStep writes one Secret, if it still is what the picture shows. One that changed
// meanwhile is no error: the next pass sees it.
func (r *Reconciler) takeStep(ctx context.Context, o *observe.Observed, p pki.Picture, s pki.Step) (wrote bool, err error) {
	data, err := pki.Do(p, s)
	if err != nil {
		return false, err
	}
	name, member := o.Cluster.CASecretName(), int64(0)
	if !s.Kind.OfCA() {
		name, member = s.Holder.Secret, s.Holder.Member
	}
	want := objects.Secret(o.Cluster, name, member, data)
	if live := o.Secrets[name]; live != nil {
		err = r.Client.Patch(ctx, overwritten(live, want), client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{}), FieldOwner)
	} else if _, err = r.occupant(ctx, o, want); err == nil {
		err = r.Client.Create(ctx, want, FieldOwner)
	} else {
		return false, err
	}
	switch {
	case apierrors.IsAlreadyExists(err):
		return false, r.relabel(ctx, want)
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		logf.FromContext(ctx).V(1).Info("a Secret changed meanwhile, looking again", "name", name)
		return false, nil
	case err != nil:
		return false, fmt.Errorf("write Secret %s (%s): %w", name, s.Why, err)
	}
	return true, nil
}

// relabel brings a Secret back into the cache that somebody took the labels from. One
// that the cache does not know yet has them.
func (r *Reconciler) relabel(ctx context.Context, want *corev1.Secret) error {
	var live corev1.Secret
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(want), &live); err != nil {
		return client.IgnoreNotFound(err)
	}
	if live.Labels[v1alpha1.LabelCluster] == want.Labels[v1alpha1.LabelCluster] {
		return nil
	}
	labelled := live.DeepCopy()
	labelled.Labels = want.Labels
	if err := r.Client.Patch(ctx, labelled, client.MergeFrom(&live), FieldOwner); err != nil {
		return fmt.Errorf("label Secret %s: %w", want.Name, err)
	}
	return nil
}

// overwritten is the live Secret with what is wanted of it, and nothing else in its data.
func overwritten(live, want *corev1.Secret) *corev1.Secret {
	s := live.DeepCopy()
	s.Data = want.Data
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	maps.Copy(s.Labels, want.Labels)
	return s
}

// adoptSecrets takes over Secrets of the group that nobody controls, keys and all: another CA
// would be one that no member trusts.
func (r *Reconciler) adoptSecrets(ctx context.Context, o *observe.Observed) error {
	orphans := slices.DeleteFunc(slices.Collect(maps.Values(o.Secrets)), func(s *corev1.Secret) bool { return !observe.Adoptable(o.Cluster, s) })
	if len(orphans) == 0 {
		return nil
	}
	if stale, err := r.changed(ctx, o); stale != "" || err != nil {
		return err // Kubernetes collects what belongs to a RaftCluster that is gone
	}
	var errs []error
	for _, live := range orphans {
		ours := live.DeepCopy()
		ours.OwnerReferences = append(ours.OwnerReferences, objects.Secret(o.Cluster, live.Name, 0, nil).OwnerReferences...)
		err := r.Client.Patch(ctx, ours, client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{}), FieldOwner)
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("adopt Secret %s: %w", live.Name, err))
		}
	}
	return errors.Join(errs...)
}

// tellCertificates writes Events about what was done: one for each CA step, and one for all
// that were signed.
func (r *Reconciler) tellCertificates(o *observe.Observed, done []pki.Step) {
	var names []string
	for _, s := range done {
		certificateSteps.WithLabelValues(string(s.Kind)).Inc()
		switch {
		case s.Kind.OfCA():
			r.event(o.Cluster, nil, corev1.EventTypeNormal, v1alpha1.ReasonCARotated, string(s.Kind), s.Why)
		case s.Kind == pki.Issue:
			names = append(names, s.Holder.Name+" ("+s.Why+")")
		}
	}
	if len(names) > 0 {
		r.event(o.Cluster, nil, corev1.EventTypeNormal, v1alpha1.ReasonCertificatesIssued, "Issue", "certificates are issued for "+strings.Join(names, ", "))
	}
}

// keepRequests makes cert-manager's Certificates as wanted.
func (r *Reconciler) keepRequests(ctx context.Context, o *observe.Observed) error {
	if o.NoCertManager {
		return nil // it is told as a problem
	}
	var errs []error
	for _, s := range o.Subjects() {
		var live client.Object
		if l := o.Certificates[s.Secret]; l != nil {
			live = l
		}
		errs = append(errs, r.ensure(ctx, o, objects.Certificate(o.Cluster, s), live))
	}
	return errors.Join(errs...)
}
