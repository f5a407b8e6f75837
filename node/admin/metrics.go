package admin

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/node/nodeapi"
)

// Collector gives a member's status as Prometheus metrics, read when they are
// scraped.
type Collector struct {
	status func() nodeapi.Status
	gauges []statusGauge
}

type statusGauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(nodeapi.Status) float64
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector makes a Collector over a status function.
func NewCollector(status func() nodeapi.Status) *Collector {
	c := &Collector{status: status}
	add := func(name, help string, kind prometheus.ValueType, value func(nodeapi.Status) float64) {
		c.gauges = append(c.gauges, statusGauge{prometheus.NewDesc("quorate_"+name, help, nil, nil), kind, value})
	}
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	add("raft_term", "Current term.", counter, func(s nodeapi.Status) float64 { return float64(s.Term) })
	add("raft_is_leader", "1 when this member leads.", gauge, func(s nodeapi.Status) float64 { return bit(s.Role == nodeapi.RoleLeader) })
	add("raft_has_leader", "1 when this member knows a leader.", gauge, func(s nodeapi.Status) float64 { return bit(s.LeaderID != 0) })
	add("raft_last_index", "Index of the last entry in the log.", gauge, func(s nodeapi.Status) float64 { return float64(s.LastIndex) })
	add("raft_commit_index", "Index of the last committed entry.", counter, func(s nodeapi.Status) float64 { return float64(s.CommitIndex) })
	add("raft_applied_index", "Index of the last applied entry.", counter, func(s nodeapi.Status) float64 { return float64(s.AppliedIndex) })
	add("raft_voters", "Number of voters.", gauge, func(s nodeapi.Status) float64 { return float64(len(s.Voters)) })
	add("raft_learners", "Number of learners.", gauge, func(s nodeapi.Status) float64 { return float64(len(s.Learners)) })
	add("raft_configuration_index", "Index of the log entry with the membership in effect; 0: the founding one.", gauge, func(s nodeapi.Status) float64 { return float64(membership(s).Index) })
	add("raft_joint", "1 while the membership is a joint configuration.", gauge, func(s nodeapi.Status) float64 { return bit(membership(s).Joint) })
	add("raft_removed", "1 when this member was removed from the cluster.", gauge, func(s nodeapi.Status) float64 { return bit(s.Removed) })
	add("fenced", "1 after an unrecoverable fault.", gauge, func(s nodeapi.Status) float64 { return bit(s.Role == nodeapi.RoleFenced) })
	add("disk_used_bytes", "Bytes used on the volume.", gauge, func(s nodeapi.Status) float64 { return float64(s.Disk.Used) })
	add("disk_free_bytes", "Bytes free on the volume.", gauge, func(s nodeapi.Status) float64 { return float64(s.Disk.Free) })
	add("disk_reserved_bytes", "Bytes of the reserve file, given up when the log has no space.", gauge, func(s nodeapi.Status) float64 { return float64(s.Disk.Reserved) })
	add("disk_full", "1 while a full disk keeps this member from taking commands.", gauge, func(s nodeapi.Status) float64 { return bit(s.Health != nil && s.Health.Fault == "DiskFull") })
	add("disk_last_fsync_seconds", "How long the last fsync of the log took.", gauge, func(s nodeapi.Status) float64 { return s.Disk.LastFsyncSeconds })
	add("tls_certificate_not_after_timestamp_seconds", "Unix time at which the first of the certificates in use ends; 0: no TLS.", gauge, func(s nodeapi.Status) float64 { return firstEnd(s.TLS) })
	return c
}

// firstEnd is when the first certificate of an endpoint ends.
func firstEnd(t *nodeapi.TLS) float64 {
	if t == nil {
		return 0
	}
	first := int64(0)
	for _, f := range []*nodeapi.TLSFiles{t.Peer, t.Client, t.Admin} {
		if f != nil && (first == 0 || f.NotAfter.Unix() < first) {
			first = f.NotAfter.Unix()
		}
	}
	return float64(first)
}

func membership(s nodeapi.Status) nodeapi.Membership {
	if s.Membership == nil {
		return nodeapi.Membership{}
	}
	return *s.Membership
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range c.gauges {
		ch <- g.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.status()
	for _, g := range c.gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, g.value(s))
	}
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
