package raftcluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// observe gives the picture of a cluster; nil when the cluster is gone.
func (r *Reconciler) observe(ctx context.Context, key types.NamespacedName) (*observe.Observed, error) {
	var cluster v1alpha1.RaftCluster
	if err := r.Client.Get(ctx, key, &cluster); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read RaftCluster %s: %w", key, err)
	}
	src := observe.Source{Reader: r.Client, Nodes: r.Nodes, Direct: r.APIReader, Clock: r.Clock}
	if cluster.Status.ClusterID == "" {
		// The group's ID is decided once, by the volumes that there are: no cache will do.
		src.Reader = r.APIReader
	}
	return observe.Gather(ctx, src, &cluster)
}
