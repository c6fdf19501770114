package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// rateLimitMetrics are those of rate limits. Policies are labels: there are as many as are configured.
type rateLimitMetrics struct {
	decisions *prometheus.CounterVec
	stores    [rateLimitStores]prometheus.Counter
	asked     *prometheus.HistogramVec
}

func newRateLimitMetrics(reg *prometheus.Registry) rateLimitMetrics {
	m := rateLimitMetrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slipstream_ratelimit_decisions_total",
			Help: "What each policy said: allowed, refused, or would_refuse of a dry run.",
		}, []string{"policy", "outcome"}),
		asked: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "slipstream_ratelimit_shared_duration_seconds",
			Help:    "Time that decisions by shared counts took, by whether they came about.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1},
		}, []string{"result"}),
	}
	stores := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slipstream_ratelimit_requests_total",
		Help: "Requests decided on: by the counts of this instance (local), by shared ones, by this instance as those were away (fallback), or refused for that (closed).",
	}, []string{"store"})
	for s := range rateLimitStores {
		m.stores[s] = stores.WithLabelValues(s.String())
	}
	reg.MustRegister(m.decisions, stores, m.asked)
	return m
}

// PolicyCounters count what one policy says. The zero value counts nothing.
type PolicyCounters struct{ allowed, refused, wouldRefuse prometheus.Counter }

// RateLimitPolicy gives a policy its counters.
func (m *Metrics) RateLimitPolicy(name string) PolicyCounters {
	if m == nil {
		return PolicyCounters{}
	}
	of := func(outcome string) prometheus.Counter { return m.limits.decisions.WithLabelValues(name, outcome) }
	return PolicyCounters{of("allowed"), of("refused"), of("would_refuse")}
}

// Count counts a decision.
func (c PolicyCounters) Count(refused, dryRun bool) {
	switch {
	case c.allowed == nil:
	case !refused:
		c.allowed.Inc()
	case dryRun:
		c.wouldRefuse.Inc()
	default:
		c.refused.Inc()
	}
}

// RateLimitStore is where a request was decided on.
type RateLimitStore int

// The stores, in the order of package limit's sources.
const (
	RateLimitLocal RateLimitStore = iota
	RateLimitShared
	RateLimitFallback
	RateLimitClosed
	rateLimitStores
)

func (s RateLimitStore) String() string {
	return [rateLimitStores]string{"local", "shared", "fallback", "closed"}[s]
}

// RateLimitDecided counts a request by where it was decided on.
func (m *Metrics) RateLimitDecided(s RateLimitStore) {
	if m != nil {
		m.limits.stores[s].Inc()
	}
}

// RateLimitAsked notes how long a decision by shared counts took.
func (m *Metrics) RateLimitAsked(took time.Duration, err error) {
	if m == nil {
		return
	}
	result := "decided"
	if err != nil {
		result = "failed"
	}
	m.limits.asked.WithLabelValues(result).Observe(took.Seconds())
}
