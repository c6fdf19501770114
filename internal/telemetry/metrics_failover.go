package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Failover is what happened to transactions that had to be done again, and to the primary. All but Parked, Left, Host and
// Timeline are counted since the start.
type Failover struct {
	// Retries are the transactions that were done again, by reason and outcome: succeeded, failed or denied.
	Retries map[[2]string]uint64
	// Spent and Denied are retries that the budget allowed and did not, Left is how many are saved up.
	Spent, Denied uint64
	Left          float64
	// Commits are the COMMITs whose answer was lost, by what was found out: committed, undone or unknown.
	Commits map[string]uint64
	// Parked writes wait for a primary. ParkedTotal began to, ParkedExpired gave up, ParkedFull found no room.
	Parked                                 int64
	ParkedTotal, ParkedExpired, ParkedFull uint64
	// Host and Timeline are those of the primary; Failovers is how often it has become another one.
	Host      string
	Timeline  uint32
	Failovers uint64
}

type failoverCollector struct {
	read                                         func() Failover
	retries, budget, left, commits, parked       *prometheus.Desc
	parkedTotal, primary, timeline, failoversSum *prometheus.Desc
}

// WatchFailover adds the metrics that read gives when asked. Doing so twice is an error.
func (m *Metrics) WatchFailover(read func() Failover) error {
	if m == nil {
		return nil
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("slipstream_"+name, help, labels, nil)
	}
	return m.registry.Register(&failoverCollector{
		read:         read,
		retries:      desc("db_retries_total", "Transactions that were done again, by reason and outcome.", "reason", "outcome"),
		budget:       desc("db_retry_budget_total", "Retries that the budget allowed (spent) and did not (denied).", "decision"),
		left:         desc("db_retry_budget_left", "Retries that are saved up."),
		commits:      desc("db_lost_commits_total", "COMMITs whose answer was lost, by what was found out.", "result"),
		parked:       desc("db_parked_writes", "Writes that wait for a primary."),
		parkedTotal:  desc("db_parked_writes_total", "Writes that waited for a primary (parked), gave up (expired), or found no room (full).", "result"),
		primary:      desc("db_primary", "1 for the host that is the primary; nothing where it is not known.", "host"),
		timeline:     desc("db_primary_timeline", "The timeline of the primary; 0 where it is not known."),
		failoversSum: desc("db_failovers_total", "How often another server, or another history, has become the primary."),
	})
}

// Describe implements prometheus.Collector.
func (c *failoverCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.retries, c.budget, c.left, c.commits, c.parked, c.parkedTotal, c.primary, c.timeline, c.failoversSum,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *failoverCollector) Collect(to chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	f := c.read()
	for labels, n := range f.Retries {
		count(c.retries, n, labels[0], labels[1])
	}
	count(c.budget, f.Spent, "spent")
	count(c.budget, f.Denied, "denied")
	gauge(c.left, f.Left)
	for result, n := range f.Commits {
		count(c.commits, n, result)
	}
	gauge(c.parked, float64(f.Parked))
	count(c.parkedTotal, f.ParkedTotal, "parked")
	count(c.parkedTotal, f.ParkedExpired, "expired")
	count(c.parkedTotal, f.ParkedFull, "full")
	if f.Host != "" {
		gauge(c.primary, 1, f.Host)
	}
	gauge(c.timeline, float64(f.Timeline))
	count(c.failoversSum, f.Failovers)
}
