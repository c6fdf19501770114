package telemetry

import (
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MetricsOptions are the settings of NewMetrics. The zero value is usable.
type MetricsOptions struct {
	// MaxRoutes is how many different routes get a label of their own; later ones are
	// counted as "other". Default 500.
	MaxRoutes int
	// Version labels slipstream_build_info; default is what the Go linker knows.
	Version string
}

// Metrics holds the metrics of one server, in a registry of its own.
//
// The methods that count may be called from any goroutine and on a nil *Metrics, which
// counts nothing.
type Metrics struct {
	registry *prometheus.Registry
	requests *requestMetrics
	schema   schemaMetrics
	jwt      jwtMetrics
	bypasses *prometheus.CounterVec
	stale    *prometheus.CounterVec
	limits   rateLimitMetrics
}

// NewMetrics returns metrics with nothing counted. It starts nothing.
func NewMetrics(o MetricsOptions) *Metrics {
	if o.MaxRoutes <= 0 {
		o.MaxRoutes = 500
	}
	reg := prometheus.NewRegistry()
	m := &Metrics{
		registry: reg,
		requests: newRequestMetrics(reg, o.MaxRoutes),
		schema:   newSchemaMetrics(reg),
		jwt:      newJWTMetrics(reg),
		bypasses: newCacheBypasses(reg),
		stale:    newCacheStale(reg),
		limits:   newRateLimitMetrics(reg),
	}
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(o.Version),
	)
	return m
}

// Handler serves the metrics in Prometheus' text format, or OpenMetrics for who asks for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// GaugeFunc adds a gauge whose value f gives when asked. Adding a name twice is an error.
func (m *Metrics) GaugeFunc(name, help string, f func() float64) error {
	if m == nil {
		return nil
	}
	return m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// CounterFunc adds a counter whose value, which must never sink, f gives when asked.
// Adding a name twice is an error.
func (m *Metrics) CounterFunc(name, help string, f func() float64) error {
	if m == nil {
		return nil
	}
	return m.registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
}

// WatchAccessLog counts the lines that l dropped.
func (m *Metrics) WatchAccessLog(l *AccessLog) error {
	return m.CounterFunc("slipstream_access_log_dropped_total",
		"Lines of the access log lost to a slow or failing output.",
		func() float64 { return float64(l.Dropped()) })
}

func counter(reg *prometheus.Registry, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	reg.MustRegister(c)
	return c
}

func buildInfo(version string) prometheus.Collector {
	goVersion, revision := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		if version == "" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "slipstream_build_info",
		Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{
			"version": version, "revision": revision, "goversion": goVersion,
		},
	})
	g.Set(1)
	return g
}
