package telemetry_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("scrape: %d, %v", w.Code, err)
	}
	return string(body)
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}

func TestPostgRESTMetricNames(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{Version: "v1.2.3"})
	wantLines(t, scrape(t, m),
		`# TYPE pgrst_schema_cache_loads_total counter`,
		`pgrst_schema_cache_loads_total{status="SUCCESS"} 0`,
		`pgrst_schema_cache_loads_total{status="FAIL"} 0`,
	)
	m.SchemaLoaded(1500 * time.Millisecond)
	m.SchemaLoadFailed()
	m.JWTLookup(true)
	m.JWTLookup(false)
	m.JWTEvicted()
	stats := telemetry.PoolStats{Max: 10, Available: 3, InUse: 2, Waiting: 1, Timeouts: 1}
	if err := m.WatchPool(func() telemetry.PoolStats { return stats }); err != nil {
		t.Fatal(err)
	}
	stats.Waiting = 4
	text := scrape(t, m)
	wantLines(t, text,
		`# TYPE pgrst_schema_cache_query_time_seconds gauge`,
		`pgrst_schema_cache_query_time_seconds 1.5`,
		`pgrst_schema_cache_loads_total{status="SUCCESS"} 1`,
		`pgrst_schema_cache_loads_total{status="FAIL"} 1`,
		`# TYPE pgrst_jwt_cache_requests_total counter`,
		`pgrst_jwt_cache_requests_total 2`,
		`pgrst_jwt_cache_hits_total 1`,
		`pgrst_jwt_cache_evictions_total 1`,
		`# TYPE pgrst_db_pool_timeouts_total counter`,
		`pgrst_db_pool_timeouts_total 1`,
		`# TYPE pgrst_db_pool_max gauge`,
		`pgrst_db_pool_max 10`,
		`pgrst_db_pool_available 3`,
		`pgrst_db_pool_waiting 4`,
		`slipstream_db_pool_in_use 2`,
	)
	for _, part := range []string{"go_goroutines ", "process_start_time_seconds ", `version="v1.2.3"} 1`} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q", part)
		}
	}
}

func TestRequestsAreCounted(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	m.RequestStarted()
	wantLines(t, scrape(t, m), "slipstream_http_requests_in_flight 1")
	m.RequestDone("films", "GET", 200, 120, 3*time.Millisecond)
	for _, r := range []struct {
		method string
		status int
	}{{"BREW", 418}, {"GET", 299}, {"GET", 200}} {
		m.RequestStarted()
		m.RequestDone("", r.method, r.status, 0, time.Second)
	}
	name := "slipstream_http_request_duration_seconds"
	wantLines(t, scrape(t, m),
		"slipstream_http_requests_in_flight 0",
		"slipstream_http_response_bytes_total 120",
		name+`_bucket{method="GET",route="films",status="200",le="0.0025"} 0`,
		name+`_bucket{method="GET",route="films",status="200",le="0.005"} 1`,
		name+`_count{method="GET",route="films",status="200"} 1`,
		name+`_count{method="_OTHER",route="other",status="418"} 1`,
		name+`_count{method="GET",route="other",status="200"} 2`,
	)
}

func TestRoutesAreCapped(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{MaxRoutes: 2})
	for i := range 5 {
		m.RequestDone(fmt.Sprintf("t%d", i), "GET", 200, 0, 0)
	}
	m.RequestDone("t0", "GET", 404, 0, 0) // known: a new status is no new route
	text := scrape(t, m)
	count := "slipstream_http_request_duration_seconds_count"
	wantLines(t, text,
		count+`{method="GET",route="t0",status="200"} 1`,
		count+`{method="GET",route="t1",status="200"} 1`,
		count+`{method="GET",route="t0",status="404"} 1`,
		count+`{method="GET",route="other",status="200"} 3`,
	)
	if strings.Contains(text, `route="t2"`) {
		t.Error("a third route got a label")
	}
}

func TestCountingFromManyGoroutines(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{MaxRoutes: 3})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				m.RequestStarted()
				m.RequestDone(fmt.Sprintf("t%d", i%10), "GET", 200+i%3, 1, 0)
			}
		})
	}
	wg.Wait()
	wantLines(t, scrape(t, m), "slipstream_http_requests_in_flight 0", "slipstream_http_response_bytes_total 800")
}

func TestOwnMetrics(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	if err := m.GaugeFunc("x_lag_seconds", "Lag.", func() float64 { return 2.5 }); err != nil {
		t.Fatal(err)
	}
	if err := m.CounterFunc("x_drops_total", "Drops.", func() float64 { return 7 }); err != nil {
		t.Fatal(err)
	}
	wantLines(t, scrape(t, m), "x_lag_seconds 2.5", "# TYPE x_drops_total counter", "x_drops_total 7")
	if err := m.GaugeFunc("x_lag_seconds", "Lag.", func() float64 { return 0 }); err == nil {
		t.Error("the same name twice is no error")
	}
	// A second instance in the process has a registry of its own.
	if text := scrape(t, telemetry.NewMetrics(telemetry.MetricsOptions{})); strings.Contains(text, "x_lag_seconds") {
		t.Error("instances share metrics")
	}
}

func TestNilMetricsCountNothing(t *testing.T) {
	var m *telemetry.Metrics
	m.RequestStarted()
	m.RequestDone("t", "GET", 200, 1, 1)
	m.SchemaLoaded(1)
	m.SchemaLoadFailed()
	m.JWTLookup(true)
	m.JWTEvicted()
	if m.WatchPool(nil) != nil || m.GaugeFunc("", "", nil) != nil || m.CounterFunc("", "", nil) != nil {
		t.Error("nil metrics return errors")
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{MaxRoutes: 1})
	m.RequestDone("films", "GET", 200, 0, 0)
	maxAllocs(t, 0, func() {
		m.RequestStarted()
		m.RequestDone("films", "GET", 200, 10, time.Millisecond)
		m.RequestDone("over the cap", "GET", 200, 10, time.Millisecond)
	})
}

func BenchmarkRequestDone(b *testing.B) {
	b.ReportAllocs()
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.RequestDone("films", "GET", 200, 10, time.Millisecond)
		}
	})
}

func TestCacheMetrics(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	stats := telemetry.CacheStats{
		Mode: "wal", Hits: map[string]uint64{"l1": 7, "l2": 8}, Misses: map[string]uint64{"absent": 2}, Rejected: map[string]uint64{"changed": 1},
		Stored: 3, Invalidated: 4, Evicted: 5, Entries: 6, Bytes: 1000, Lag: 20 * time.Millisecond,
		Refused: map[string]uint64{"early": 9}, Offered: map[string]uint64{"sent": 10}, Followers: 2,
		Standbys: []telemetry.StandbyStats{{Name: "b:5432", Fills: true, Lag: 30 * time.Millisecond, Used: 11, Discarded: 12}},
	}
	if err := m.WatchCache(func() telemetry.CacheStats { return stats }); err != nil {
		t.Fatal(err)
	}
	m.CacheBypassed("relation")
	m.CacheBypassed("relation")
	wantLines(t, scrape(t, m),
		`# TYPE slipstream_cache_hits_total counter`,
		`slipstream_cache_mode{mode="wal"} 1`,
		`slipstream_cache_mode{mode="none"} 0`,
		`slipstream_cache_hits_total{tier="l1"} 7`,
		`slipstream_cache_hits_total{tier="l2"} 8`,
		`slipstream_cache_tier_refusals_total{reason="early"} 9`,
		`slipstream_cache_tier_offers_total{result="sent"} 10`,
		`slipstream_cache_misses_total{reason="absent"} 2`,
		`slipstream_cache_bypasses_total{reason="relation"} 2`,
		`slipstream_cache_rejected_total{reason="changed"} 1`,
		`slipstream_cache_stored_total 3`,
		`slipstream_cache_invalidations_total 4`,
		`slipstream_cache_evictions_total 5`,
		`slipstream_cache_entries 6`,
		`slipstream_cache_bytes 1000`,
		`slipstream_cache_feed_lag_seconds 0.02`,
		`slipstream_cache_feed_followers 2`,
		`slipstream_cache_standby_fills{standby="b:5432"} 1`,
		`slipstream_cache_standby_lag_seconds{standby="b:5432"} 0.03`,
		`slipstream_cache_standby_answers_total{result="used",standby="b:5432"} 11`,
		`slipstream_cache_standby_answers_total{result="discarded",standby="b:5432"} 12`,
	)
	stats.Mode, stats.Lag = "none", -1
	wantLines(t, scrape(t, m), `slipstream_cache_mode{mode="wal"} 0`, `slipstream_cache_mode{mode="none"} 1`, `slipstream_cache_feed_lag_seconds NaN`)
}
