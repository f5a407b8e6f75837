package raftcluster

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/quorate/quorate/controllers/plan"
)

var (
	actions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quorate_operator_actions_total",
		Help: "Actions on members, by kind and result (ok or error).",
	}, []string{"action", "result"})
	refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quorate_operator_refusals_total",
		Help: "Times the operator began to refuse to go on, by the reason in the condition Progressing.",
	}, []string{"reason"})
)

//nolint:gochecknoinits // the way in which collectors are registered with the manager's registry
func init() { metrics.Registry.MustRegister(actions, refusals) }

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
