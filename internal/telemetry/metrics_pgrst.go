package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The names in this file are PostgREST v16's, so that its dashboards and alerts keep
// working (https://postgrest.org/en/stable/references/observability.html#metrics).

type schemaMetrics struct {
	loaded, failed prometheus.Counter
	seconds        prometheus.Gauge
}

func newSchemaMetrics(reg *prometheus.Registry) schemaMetrics {
	loads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pgrst_schema_cache_loads_total", Help: "Loads of the schema cache by outcome.",
	}, []string{"status"})
	seconds := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pgrst_schema_cache_query_time_seconds",
		Help: "Query time of the last load of the schema cache.",
	})
	reg.MustRegister(loads, seconds)
	return schemaMetrics{
		loaded:  loads.WithLabelValues("SUCCESS"),
		failed:  loads.WithLabelValues("FAIL"),
		seconds: seconds,
	}
}

// SchemaLoaded counts a successful load of the schema whose queries took the given time.
func (m *Metrics) SchemaLoaded(queries time.Duration) {
	if m != nil {
		m.schema.loaded.Inc()
		m.schema.seconds.Set(queries.Seconds())
	}
}

// SchemaLoadFailed counts a load of the schema that failed.
func (m *Metrics) SchemaLoadFailed() {
	if m != nil {
		m.schema.failed.Inc()
	}
}

type jwtMetrics struct{ requests, hits, evictions prometheus.Counter }

func newJWTMetrics(reg *prometheus.Registry) jwtMetrics {
	return jwtMetrics{
		requests:  counter(reg, "pgrst_jwt_cache_requests_total", "Lookups in the cache of verified tokens."),
		hits:      counter(reg, "pgrst_jwt_cache_hits_total", "Lookups that found a verified token."),
		evictions: counter(reg, "pgrst_jwt_cache_evictions_total", "Verified tokens that made room for others."),
	}
}

// JWTLookup counts a lookup in the cache of verified tokens.
func (m *Metrics) JWTLookup(hit bool) {
	if m == nil {
		return
	}
	m.jwt.requests.Inc()
	if hit {
		m.jwt.hits.Inc()
	}
}

// JWTEvicted counts a verified token that made room for another.
func (m *Metrics) JWTEvicted() {
	if m != nil {
		m.jwt.evictions.Inc()
	}
}

// PoolStats is the state of the connection pool: numbers of connections, save Waiting and Timeouts.
type PoolStats struct {
	// Max is the pool's size limit.
	Max int
	// Available connections are open and idle.
	Available int
	// InUse connections are open and lent out.
	InUse int
	// Waiting is the number of requests that wait for a connection.
	Waiting int
	// Timeouts is the number of requests so far that got no connection in time.
	Timeouts int64
}

// WatchPool has stats asked at every scrape. A second pool is an error.
func (m *Metrics) WatchPool(stats func() PoolStats) error {
	if m == nil {
		return nil
	}
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return m.registry.Register(&poolCollector{
		stats:     stats,
		max:       desc("pgrst_db_pool_max", "Most connections the pool may open."),
		available: desc("pgrst_db_pool_available", "Open connections that are idle."),
		waiting:   desc("pgrst_db_pool_waiting", "Requests waiting for a connection."),
		inUse:     desc("slipstream_db_pool_in_use", "Open connections that are lent out."),
		timeouts:  desc("pgrst_db_pool_timeouts_total", "Requests that got no pool connection in time."),
	})
}

// poolCollector asks once per scrape, so that the gauges agree with each other.
type poolCollector struct {
	stats                                    func() PoolStats
	max, available, waiting, inUse, timeouts *prometheus.Desc
}

func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.max
	ch <- c.available
	ch <- c.waiting
	ch <- c.inUse
	ch <- c.timeouts
}

func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.stats()
	send := func(d *prometheus.Desc, n int) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	send(c.max, s.Max)
	send(c.available, s.Available)
	send(c.waiting, s.Waiting)
	send(c.inUse, s.InUse)
	ch <- prometheus.MustNewConstMetric(c.timeouts, prometheus.CounterValue, float64(s.Timeouts))
}
