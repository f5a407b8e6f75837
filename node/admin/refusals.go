package admin

import "github.com/prometheus/client_golang/prometheus"

// PeerRefusals counts connections between this member and others that one of them did not
// want, although they reached each other.
type PeerRefusals struct {
	Reason string
	By     string // "self", or "peer": which of the two refused
	Count  uint64 // since the process began to take part
}

// NewPeerCollector makes a collector of what refusals gives; each pair of Reason and By is
// there once, also when it counts none.
func NewPeerCollector(refusals func() []PeerRefusals) prometheus.Collector {
	return peerCollector{refusals, prometheus.NewDesc("quorate_peer_refusals_total",
		"Connections between members that were refused, as by a wrong certificate or cluster.", []string{"reason", "by"}, nil)}
}

type peerCollector struct {
	refusals func() []PeerRefusals
	desc     *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c peerCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c peerCollector) Collect(ch chan<- prometheus.Metric) {
	for _, r := range c.refusals() {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(r.Count), r.Reason, r.By)
	}
}
