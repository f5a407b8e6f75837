package raftcluster

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/controllers/nodeclient"
	"github.com/quorate/quorate/controllers/objects"
)

// Reconciler brings RaftClusters to what is wanted of them. All exported fields must be set.
type Reconciler struct {
	Client    client.Client     // reads from the cache
	APIReader client.Reader     // reads from the API server itself
	Nodes     nodeclient.Client // talks to members
	Events    events.EventRecorder
	Clock     func() time.Time
	Options   objects.Options

	fights fights // with others about fields of objects
}

// Reconcile does one pass over one cluster: it looks, decides on one act, does it, and
// tells. It is called again when something changes, and after the time in the result.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	o, err := r.observe(ctx, req.NamespacedName)
	if err != nil {
		return later(err)
	}
	if o == nil {
		showChange(req.NamespacedName, nil)
		return ctrl.Result{}, nil
	}
	showChange(req.NamespacedName, o.Cluster.Status.Change)
	d := r.decide(o)
	actErr := r.act(ctx, o, &d)
	requeue, reportErr := r.report(ctx, o, d)
	if err := errors.Join(actErr, reportErr); err != nil {
		return later(err)
	}
	return ctrl.Result{RequeueAfter: requeue}, nil
}

// later says when a pass that failed is repeated: as the API server tells, or else after a
// time that grows with each failure.
func later(err error) (ctrl.Result, error) {
	if seconds, told := apierrors.SuggestsClientDelay(err); told && seconds > 0 {
		return ctrl.Result{RequeueAfter: min(time.Duration(seconds)*time.Second, lastRetry)}, nil
	}
	return ctrl.Result{}, err
}
