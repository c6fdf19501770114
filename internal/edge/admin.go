package edge

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// Admin serves what operators ask of a server. It has no authentication of its own: listen
// on loopback. A nil field answers its path with 404.
type Admin struct {
	// Live returns an error when the process should be restarted: 500.
	Live func(ctx context.Context) error
	// Ready returns an error, which the answer tells, while traffic should go elsewhere: 503.
	Ready func(ctx context.Context) error
	// Metrics serves /metrics.
	Metrics http.Handler
	// Cache serves /cache and what is below.
	Cache http.Handler
	// Replicas serves /replicas.
	Replicas http.Handler
	// SchemaCache writes the schema snapshot as JSON.
	SchemaCache func(w io.Writer) error
	// Config writes the configuration as PostgREST's config file format, without secrets.
	Config func(w io.Writer) error
	// Log gets why a document could not be made. Default: nowhere.
	Log *slog.Logger
}

// Handler serves /live, /ready, /metrics, /cache, /replicas, /schema_cache, /config and /debug/pprof/
// (https://postgrest.org/en/stable/references/admin_server.html).
func (a Admin) Handler() http.Handler {
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	if a.Live != nil {
		mux.Handle("GET /live", probe(a.Live, http.StatusInternalServerError))
	}
	if a.Ready != nil {
		mux.Handle("GET /ready", probe(a.Ready, http.StatusServiceUnavailable))
	}
	if a.Metrics != nil {
		mux.Handle("GET /metrics", a.Metrics)
	}
	if a.Cache != nil {
		mux.Handle("/cache", a.Cache)
		mux.Handle("/cache/", a.Cache)
	}
	if a.Replicas != nil {
		mux.Handle("GET /replicas", a.Replicas)
	}
	if a.SchemaCache != nil {
		mux.Handle("GET /schema_cache", a.document("application/json; charset=utf-8", a.SchemaCache))
	}
	if a.Config != nil {
		mux.Handle("GET /config", a.document("text/plain; charset=utf-8", a.Config))
	}
	mux.Handle("/debug/pprof/", telemetry.ProfileHandler())
	return mux
}

// probe answers 200 with no body, or the failure's status with its reason.
func probe(check func(context.Context) error, failure int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := check(r.Context()); err != nil {
			http.Error(w, err.Error(), failure)
		}
	})
}

// document is rendered before the status is sent, so that a failure can still be one.
func (a Admin) document(contentType string, render func(io.Writer) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if err := render(&body); err != nil {
			a.Log.ErrorContext(r.Context(), "admin document", slog.String("path", r.URL.Path), slog.Any("error", err))
			WriteError(w, r, apierr.New("SLIP500", "The document could not be made; the log says why"), apierr.Verbose)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
		_, _ = w.Write(body.Bytes())
	})
}
