package raftcluster

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ConflictError says that an object of a needed name belongs to somebody else.
type ConflictError struct{ Kind, Name string }

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s %q exists and does not belong to this RaftCluster; rename or delete one of the two", e.Kind, e.Name)
}

// LeftoverError says that an object of an earlier RaftCluster of the name is still there.
type LeftoverError struct{ Kind, Name string }

// Error implements error.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("waiting for Kubernetes to delete the %s %q of an earlier RaftCluster", e.Kind, e.Name)
}

// StubbornError says that an object does not stay as the operator writes it.
type StubbornError struct{ Kind, Name, Path string }

// Error implements error.
func (e *StubbornError) Error() string {
	return fmt.Sprintf("%s %q: the field %s does not stay as it is written; something in this Kubernetes cluster, such as an admission webhook, changes it", e.Kind, e.Name, e.Path)
}

// refusal is an error that only a person mends.
type refusal interface {
	error
	refused()
}

func (*ConflictError) refused() {}
func (*StubbornError) refused() {}

// passing tells whether an error is of the API server at the moment, and says nothing about
// what was asked of it.
func passing(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || apierrors.IsConflict(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err)
}
