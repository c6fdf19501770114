package telemetry

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// otherRoute labels requests without a known route, and those over MaxRoutes.
const otherRoute = "other"

// durationBuckets go from a cache hit to a statement timeout, in seconds.
func durationBuckets() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

type seriesKey struct {
	route, method string
	status        int
}

// seriesTable is immutable: the series counted so far, and their routes.
type seriesTable struct {
	series map[seriesKey]prometheus.Observer
	routes map[string]struct{}
}

// requestMetrics resolves labels once per series. The table is copied on write: series
// are few and new ones rare, so reading it costs one atomic load and one map lookup.
type requestMetrics struct {
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	sent      prometheus.Counter
	maxRoutes int

	table atomic.Pointer[seriesTable]
	grow  sync.Mutex // held while table is replaced
}

func newRequestMetrics(reg *prometheus.Registry, maxRoutes int) *requestMetrics {
	m := &requestMetrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "slipstream_http_request_duration_seconds",
			Help:    "Time from the first byte of a request's headers handled to its answer sent.",
			Buckets: durationBuckets(),
		}, []string{"route", "method", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "slipstream_http_requests_in_flight", Help: "Requests being served.",
		}),
		sent:      counter(reg, "slipstream_http_response_bytes_total", "Bytes of answers' bodies sent."),
		maxRoutes: maxRoutes,
	}
	reg.MustRegister(m.durations, m.inFlight)
	m.table.Store(&seriesTable{})
	return m
}

// RequestStarted counts a request as in flight until RequestDone.
func (m *Metrics) RequestStarted() {
	if m != nil {
		m.requests.inFlight.Inc()
	}
}

// RequestDone counts an answered request: its route (empty means "other"), the status
// sent, the bytes of the body, and the time it took. It allocates only for the first
// request of its kind.
func (m *Metrics) RequestDone(route, method string, status int, bytes int64, took time.Duration) {
	if m == nil {
		return
	}
	m.requests.inFlight.Dec()
	m.requests.sent.Add(float64(bytes))
	if route == "" {
		route = otherRoute
	}
	key := seriesKey{route: route, method: knownMethod(method), status: knownStatus(status)}
	m.requests.observer(key).Observe(took.Seconds())
}

func (m *requestMetrics) observer(key seriesKey) prometheus.Observer {
	t := m.table.Load()
	if o, ok := t.series[key]; ok {
		return o
	}
	if o, ok := t.series[m.bounded(t, key)]; ok {
		return o
	}
	return m.resolve(key)
}

// bounded is key, or its "other" when t has no room for one more route.
func (m *requestMetrics) bounded(t *seriesTable, key seriesKey) seriesKey {
	if _, known := t.routes[key.route]; !known && len(t.routes) >= m.maxRoutes {
		key.route = otherRoute
	}
	return key
}

func (m *requestMetrics) resolve(key seriesKey) prometheus.Observer {
	m.grow.Lock()
	defer m.grow.Unlock()
	t := m.table.Load()
	key = m.bounded(t, key)
	if o, ok := t.series[key]; ok {
		return o
	}
	o := m.durations.WithLabelValues(key.route, key.method, strconv.Itoa(key.status))
	grown := seriesTable{
		series: make(map[seriesKey]prometheus.Observer, len(t.series)+1),
		routes: make(map[string]struct{}, len(t.routes)+1),
	}
	maps.Copy(grown.series, t.series)
	maps.Copy(grown.routes, t.routes)
	grown.series[key] = o
	if key.route != otherRoute {
		grown.routes[key.route] = struct{}{}
	}
	m.table.Store(&grown)
	return o
}

// knownMethod keeps clients from making labels up.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "_OTHER"
}

// knownStatus keeps a function's response.status from making labels up.
func knownStatus(status int) int {
	if http.StatusText(status) == "" {
		return status / 100 * 100
	}
	return status
}
