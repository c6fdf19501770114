package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
)

// LimiterStats is what the limiter before one database does.
type LimiterStats struct {
	// Upstream names the database: primary, or a replica.
	Upstream string
	// Level of overload, 0 to 3, and the share of arrivals that are let in, 0 to 1.
	Level    int
	Admitted float64
	Classes  []ClassStats
	// Sheds are refused requests.
	Sheds []ShedStats
	// Throttled is the share of requests that are refused as the database fails to answer; Refusals counts them.
	Throttled float64
	Refusals  uint64
}

// ClassStats is what a class of requests has of the database.
type ClassStats struct {
	Name                    string
	Limit, InFlight, Queued int
}

// ShedStats counts refused requests of a tier for a reason.
type ShedStats struct {
	Tier, Reason string
	Count        uint64
}

// WatchLimiters has stats asked at every scrape. A second time is an error.
func (m *Metrics) WatchLimiters(stats func() []LimiterStats) error {
	if m == nil {
		return nil
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("slipstream_"+name, help, append([]string{"upstream"}, labels...), nil)
	}
	return m.registry.Register(&limitCollector{
		stats:     stats,
		level:     desc("overload_level", "0 without overload; 1 while background work is refused, 2 sheddable, 3 that of the tier default."),
		admitted:  desc("overload_admitted_ratio", "Share of the requests that are let in to wait for the database."),
		limit:     desc("limit", "Requests of a class that the database may do at a time.", "class"),
		inFlight:  desc("limit_in_flight", "Requests of a class that the database does.", "class"),
		queued:    desc("limit_queued", "Requests of a class that wait for the database.", "class"),
		sheds:     desc("shed_total", "Requests that were refused so that others could be served.", "tier", "reason"),
		throttled: desc("throttle_ratio", "Share of the requests that are refused as the database fails to answer most."),
		refusals:  desc("throttled_total", "Requests that were refused as the database fails to answer most."),
	})
}

// limitCollector asks once per scrape, so that the numbers agree with each other.
type limitCollector struct {
	stats                                                                func() []LimiterStats
	level, admitted, limit, inFlight, queued, sheds, throttled, refusals *prometheus.Desc
}

func (c *limitCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.level, c.admitted, c.limit, c.inFlight, c.queued, c.sheds, c.throttled, c.refusals} {
		ch <- d
	}
}

func (c *limitCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.stats() {
		gauge := func(d *prometheus.Desc, n float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, append([]string{s.Upstream}, labels...)...)
		}
		count := func(d *prometheus.Desc, n uint64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{s.Upstream}, labels...)...)
		}
		gauge(c.level, float64(s.Level))
		gauge(c.admitted, s.Admitted)
		for _, class := range s.Classes {
			gauge(c.limit, float64(class.Limit), class.Name)
			gauge(c.inFlight, float64(class.InFlight), class.Name)
			gauge(c.queued, float64(class.Queued), class.Name)
		}
		for _, shed := range s.Sheds {
			count(c.sheds, shed.Count, shed.Tier, shed.Reason)
		}
		gauge(c.throttled, s.Throttled)
		count(c.refusals, s.Refusals)
	}
}
