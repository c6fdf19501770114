package edge_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/edge"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

func TestAdmin(t *testing.T) {
	var live, ready, document error
	write := func(text string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, _ = io.WriteString(w, text)
			return document
		}
	}
	admin := edge.Admin{
		Live:        func(context.Context) error { return live },
		Ready:       func(context.Context) error { return ready },
		Metrics:     telemetry.NewMetrics(telemetry.MetricsOptions{}).Handler(),
		SchemaCache: write(`{"relations":[]}`),
		Config:      write(`db-uri = "<redacted>"`),
	}
	srv := plain(t, admin.Handler())
	check := func(method, path string, status int, contentType, body string) {
		t.Helper()
		res, got := srv.do(t, method, path)
		if res.StatusCode != status || !strings.HasPrefix(res.Header.Get("Content-Type"), contentType) ||
			!strings.Contains(got, body) {
			t.Errorf("%s %s: %d %s %.80s", method, path, res.StatusCode, res.Header.Get("Content-Type"), got)
		}
	}
	check("GET", "/live", 200, "", "")
	check("HEAD", "/live", 200, "", "")
	check("GET", "/ready", 200, "", "")
	check("GET", "/metrics", 200, "text/plain", "pgrst_schema_cache_loads_total")
	check("GET", "/schema_cache", 200, "application/json", `{"relations":[]}`)
	check("GET", "/config", 200, "text/plain", "redacted")
	check("GET", "/debug/pprof/", 200, "text/html", "goroutine")
	check("GET", "/", 404, "", "")
	check("POST", "/live", 405, "", "")

	live, ready, document = errors.New("deaf"), errors.New("schema not loaded"), errors.New("s3cret cause")
	check("GET", "/live", 500, "text/plain", "deaf")
	check("GET", "/ready", 503, "text/plain", "schema not loaded")
	check("GET", "/schema_cache", 500, "application/json", `"code":"SLIP500"`)
	if _, body := srv.do(t, "GET", "/config"); strings.Contains(body, "s3cret") || strings.Contains(body, "redacted") {
		t.Errorf("a failed document: %s", body)
	}
}

func TestAdminWithoutCallbacks(t *testing.T) {
	srv := plain(t, edge.Admin{}.Handler())
	for _, path := range []string{"/live", "/ready", "/metrics", "/schema_cache", "/config"} {
		if res, _ := srv.do(t, "GET", path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}
