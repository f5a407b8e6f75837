package raftcluster

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// How operators elect one that works, by a Lease. The leader gives the lease back when it
// stops of itself, and the others look for it each retryPeriod. After a crash they wait until
// it has run out: nobody may work while the former leader might.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = time.Second
)

// Elected gives the options of a manager that works only while it leads; the Lease is in
// that namespace. Its process must end when the manager has stopped. Without elect the
// options stay as they are.
func Elected(elect bool, namespace string, o ctrl.Options) ctrl.Options {
	if !elect {
		return o
	}
	lease, renew, retry := leaseDuration, renewDeadline, retryPeriod
	o.LeaderElection, o.LeaderElectionID, o.LeaderElectionNamespace = true, "quorate-operator", namespace
	o.LeaderElectionReleaseOnCancel = true
	o.LeaseDuration, o.RenewDeadline, o.RetryPeriod = &lease, &renew, &retry
	return o
}
