package telemetry_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"testing"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

func TestSetMemoryLimitRespectsGOMEMLIMIT(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "5GiB")
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	got, err := telemetry.SetMemoryLimit(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil || got != before || debug.SetMemoryLimit(-1) != before {
		t.Errorf("got %d, %v; want %d as before", got, err, before)
	}
}

func TestProfileHandler(t *testing.T) {
	for path, want := range map[string]int{
		"/debug/pprof/":                  http.StatusOK,
		"/debug/pprof/goroutine?debug=1": http.StatusOK,
		"/debug/pprof/cmdline":           http.StatusOK,
		"/debug/pprof/no-such-profile":   http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		telemetry.ProfileHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
