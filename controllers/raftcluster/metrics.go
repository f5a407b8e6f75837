package raftcluster

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/plan"
)

var (
	actions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quorate_operator_actions_total",
		Help: "Actions on members, by kind and result (ok or error).",
	}, []string{"action", "result"})
	refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quorate_operator_refusals_total",
		Help: "Times the operator began to refuse to go on, by the reason in the condition Progressing, or a leader refused a change of the members, by its reason.",
	}, []string{"reason"})
	changes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "quorate_operator_membership_change",
		Help: "1 while a change of a cluster's members is under way, by its kind and step.",
	}, []string{"namespace", "name", "kind", "step"})
	certificateSteps = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quorate_operator_certificate_steps_total",
		Help: "Secrets of certificates written, by what for (Found, Announce, Promote, Retire, Replace, Issue, Trust).",
	}, []string{"step"})
)

//nolint:gochecknoinits // the way in which collectors are registered with the manager's registry
func init() { metrics.Registry.MustRegister(actions, refusals, changes, certificateSteps) }

// showChange sets the gauge of changes to what status says; c nil: the cluster is gone.
func showChange(key types.NamespacedName, c *v1alpha1.MembershipChange) {
	changes.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "name": key.Name})
	if c != nil {
		changes.WithLabelValues(key.Namespace, key.Name, string(c.Kind), string(c.Step)).Set(1)
	}
}

func count(kind plan.Kind, err error) {
	if kind == plan.None && err == nil {
		return
	}
	result := "ok"
	if err != nil {
		result = "error"
	}
	actions.WithLabelValues(string(kind), result).Inc()
}
