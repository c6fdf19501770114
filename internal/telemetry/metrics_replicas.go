package telemetry

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ReplicasStats is what is read from replicas.
type ReplicasStats struct {
	Replicas []ReplicaStats
	// Fallbacks counts reads that the primary had to answer, by reason, and Refused those that it was spared.
	Fallbacks map[string]uint64
	Refused   uint64
}

// ReplicaStats is one replica.
type ReplicaStats struct {
	Name  string
	State string
	// Lag is negative where it is not known.
	Lag, Expected              time.Duration
	InFlight                   int
	Reads, Failures, Ejections uint64
}

// replicaStates are those of package replicas.
var replicaStates = [...]string{"readable", "starting", "unreachable", "foreign", "behind", "ejected"}

// WatchReplicas has stats asked at every scrape. To do so twice is an error.
func (m *Metrics) WatchReplicas(stats func() ReplicasStats) error {
	if m == nil {
		return nil
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("slipstream_replica_"+name, help, labels, nil)
	}
	return m.registry.Register(&replicasCollector{
		stats:     stats,
		state:     desc("state", "1 for the state that the replica is in; reads go to it while it is readable.", "replica", "state"),
		lag:       desc("lag_seconds", "How far the replica is behind the primary; NaN while it is not known.", "replica"),
		expected:  desc("expected_seconds", "How long a read takes there that usually takes a millisecond: the peak EWMA.", "replica"),
		inFlight:  desc("reads_in_flight", "Reads under way on the replica.", "replica"),
		reads:     desc("reads_total", "Reads that were sent to the replica.", "replica"),
		failures:  desc("read_failures_total", "Reads that failed on the replica and were done again elsewhere.", "replica"),
		ejections: desc("ejections_total", "Times that the replica was left out for failures in a row.", "replica"),
		fallbacks: desc("fallbacks_total", "Reads that the primary had to answer, by reason: no replica was readable (unreadable), all were behind, those tried have failed, or one gave an error that the primary may not give (doubted).", "reason"),
		refused:   desc("fallbacks_refused_total", "Reads that were refused to spare the primary."),
	})
}

// replicasCollector asks once per scrape, so that the numbers agree with each other.
type replicasCollector struct {
	stats                          func() ReplicasStats
	state, lag, expected, inFlight *prometheus.Desc
	reads, failures, ejections     *prometheus.Desc
	fallbacks, refused             *prometheus.Desc
}

func (c *replicasCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.state, c.lag, c.expected, c.inFlight, c.reads, c.failures, c.ejections, c.fallbacks, c.refused} {
		ch <- d
	}
}

func (c *replicasCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	s := c.stats()
	for _, r := range s.Replicas {
		for _, state := range replicaStates {
			is := 0.0
			if state == r.State {
				is = 1
			}
			gauge(c.state, is, r.Name, state)
		}
		lag := math.NaN()
		if r.Lag >= 0 {
			lag = r.Lag.Seconds()
		}
		gauge(c.lag, lag, r.Name)
		gauge(c.expected, r.Expected.Seconds(), r.Name)
		gauge(c.inFlight, float64(r.InFlight), r.Name)
		count(c.reads, r.Reads, r.Name)
		count(c.failures, r.Failures, r.Name)
		count(c.ejections, r.Ejections, r.Name)
	}
	for reason, n := range s.Fallbacks {
		count(c.fallbacks, n, reason)
	}
	count(c.refused, s.Refused)
}
