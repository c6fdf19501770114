package telemetry

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// CacheStats is what the cache of answers has done since the start, and its state.
type CacheStats struct {
	// Mode is wal, notify, ttl, none or off.
	Mode string
	// Hits by tier, Misses and Rejected by reason.
	Hits, Misses, Rejected       map[string]uint64
	Stored, Invalidated, Evicted uint64
	// Refused counts answers that were not taken over from the tier that instances share, by reason, and Offered those that
	// were meant for it, by what became of them. Both are nil without one.
	Refused, Offered map[string]uint64
	Entries          int
	Bytes            uint64
	// Lag is how long ago the present state was certain; negative where it is not, or nobody wants to know.
	Lag time.Duration
	// Followers is how many instances read the log through this one.
	Followers int
	Standbys  []StandbyStats
}

// StandbyStats is what a standby does for the cache.
type StandbyStats struct {
	Name            string
	Fills           bool // answers that are to be kept are read from it now
	Lag             time.Duration
	Used, Discarded uint64
}

// WatchCache has stats asked at every scrape. A second cache is an error.
func (m *Metrics) WatchCache(stats func() CacheStats) error {
	if m == nil {
		return nil
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("slipstream_cache_"+name, help, labels, nil)
	}
	return m.registry.Register(&cacheCollector{
		stats:       stats,
		mode:        desc("mode", "1 for the mode that the cache is in: wal, notify, ttl, none or off.", "mode"),
		hits:        desc("hits_total", "Answers out of the cache.", "tier"),
		misses:      desc("misses_total", "Look-ups that found nothing to serve, by reason.", "reason"),
		stored:      desc("stored_total", "Answers that were kept."),
		rejected:    desc("rejected_total", "Answers that were made to be kept and were not, by reason.", "reason"),
		invalidated: desc("invalidations_total", "Answers that a change has made wrong."),
		evicted:     desc("evictions_total", "Answers that made room for others."),
		refused:     desc("tier_refusals_total", "Look-ups in the shared tier that found nothing to take over, by reason.", "reason"),
		offered:     desc("tier_offers_total", "Answers for the shared tier: sent, dropped for want of time, or failed.", "result"),
		entries:     desc("entries", "Answers that are kept."),
		bytes:       desc("bytes", "Memory that answers take, with all that belongs to them."),
		lag:         desc("feed_lag_seconds", "How long ago the present state was certain; NaN while it is not, and while nobody uses the cache."),
		followers:   desc("feed_followers", "Instances that read the log through this one."),
		fills:       desc("standby_fills", "1 while answers that are to be kept are read from the standby.", "standby"),
		replay:      desc("standby_lag_seconds", "For how long the standby has not replayed what the cache knows.", "standby"),
		answers:     desc("standby_answers_total", "Answers that were read from the standby, and those that the primary had to give after all.", "standby", "result"),
	})
}

// cacheCollector asks once per scrape, so that the numbers agree with each other.
type cacheCollector struct {
	stats                                     func() CacheStats
	mode, hits, misses, stored, rejected      *prometheus.Desc
	invalidated, evicted, entries, bytes, lag *prometheus.Desc
	refused, offered                          *prometheus.Desc
	followers, fills, replay, answers         *prometheus.Desc
}

func (c *cacheCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.mode, c.hits, c.misses, c.stored, c.rejected, c.invalidated, c.evicted, c.entries, c.bytes, c.lag, c.refused, c.offered,
		c.followers, c.fills, c.replay, c.answers,
	} {
		ch <- d
	}
}

func (c *cacheCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.stats()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, n float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, n, labels...)
	}
	by := func(d *prometheus.Desc, counts map[string]uint64) {
		for label, n := range counts {
			send(d, prometheus.CounterValue, float64(n), label)
		}
	}
	whether := func(d *prometheus.Desc, is bool, label string) {
		n := 0.0
		if is {
			n = 1
		}
		send(d, prometheus.GaugeValue, n, label)
	}
	for _, mode := range []string{"wal", "notify", "ttl", "none", "off"} {
		whether(c.mode, mode == s.Mode, mode)
	}
	by(c.hits, s.Hits)
	by(c.misses, s.Misses)
	by(c.rejected, s.Rejected)
	by(c.refused, s.Refused)
	by(c.offered, s.Offered)
	send(c.stored, prometheus.CounterValue, float64(s.Stored))
	send(c.invalidated, prometheus.CounterValue, float64(s.Invalidated))
	send(c.evicted, prometheus.CounterValue, float64(s.Evicted))
	send(c.entries, prometheus.GaugeValue, float64(s.Entries))
	send(c.bytes, prometheus.GaugeValue, float64(s.Bytes))
	lag := math.NaN()
	if s.Lag >= 0 {
		lag = s.Lag.Seconds()
	}
	send(c.lag, prometheus.GaugeValue, lag)
	send(c.followers, prometheus.GaugeValue, float64(s.Followers))
	for _, b := range s.Standbys {
		whether(c.fills, b.Fills, b.Name)
		send(c.replay, prometheus.GaugeValue, b.Lag.Seconds(), b.Name)
		send(c.answers, prometheus.CounterValue, float64(b.Used), b.Name, "used")
		send(c.answers, prometheus.CounterValue, float64(b.Discarded), b.Name, "discarded")
	}
}

func newCacheStale(reg *prometheus.Registry) *prometheus.CounterVec {
	stale := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slipstream_cache_stale_total",
		Help: "Answers out of the cache after their time: swr while they were fetched anew, sie as that failed, max-stale as the client allowed it.",
	}, []string{"kind"})
	reg.MustRegister(stale)
	return stale
}

// CacheStale counts an answer that was served after its time.
func (m *Metrics) CacheStale(kind string) {
	if m != nil {
		m.stale.WithLabelValues(kind).Inc()
	}
}

func newCacheBypasses(reg *prometheus.Registry) *prometheus.CounterVec {
	bypasses := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slipstream_cache_bypasses_total", Help: "GET and HEAD requests that went by the open cache, by kind of reason.",
	}, []string{"reason"})
	reg.MustRegister(bypasses)
	return bypasses
}

// CacheBypassed counts a request that went by the cache. The kind of its reason must be one of a few.
func (m *Metrics) CacheBypassed(kind string) {
	if m != nil {
		m.bypasses.WithLabelValues(kind).Inc()
	}
}
