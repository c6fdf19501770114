package telemetry_test

import (
	"bytes"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

const (
	clientTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan   = "00f067aa0ba902b7"
	parameterSQL = `SELECT * FROM films WHERE id = $1`
)

// traced serves one imaginary request with one statement, and returns its trace id.
func traced(t *testing.T, tracer *telemetry.Tracer) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://api.example/films?id=eq.secret", nil)
	r.Header.Set("Traceparent", "00-"+clientTrace+"-"+clientSpan+"-01")
	r.Header.Set("User-Agent", "curl/8")
	ctx, span := tracer.StartRequest(r.Context(), r)
	_, query := tracer.StartQuery(ctx, parameterSQL)
	query.EndQuery("57014")
	span.EndRequest(r.Method, &telemetry.Request{Route: "films", Code: "57014"}, http.StatusInternalServerError)
	return span.TraceID()
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestTracesReachACollector(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			collector := &otlpCollector{}
			endpoint := ""
			if protocol == "grpc" {
				endpoint = collector.serveGRPC(t)
			} else {
				endpoint = collector.serveHTTP(t)
			}
			tracer, err := telemetry.NewTracer(telemetry.TracerOptions{
				Endpoint: endpoint, Protocol: protocol, Version: "v1", Headers: map[string]string{"X-Api-Key": "k"},
			}, discard())
			if err != nil {
				t.Fatal(err)
			}
			if id := traced(t, tracer); id != "" {
				t.Errorf("recorded before Start: %s", id)
			}
			if err := tracer.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if id := traced(t, tracer); id != clientTrace {
				t.Errorf("trace id %q is not the client's", id)
			}
			if err := tracer.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkSpans(t, collector)
			if collector.apiKey != "k" {
				t.Errorf("header: %q", collector.apiKey)
			}
			if res := collector.resource(); res["service.name"] != "slipstream" || res["service.version"] != "v1" {
				t.Errorf("resource: %v", res)
			}
		})
	}
}

func checkSpans(t *testing.T, collector *otlpCollector) {
	t.Helper()
	spans := collector.spans()
	server, query := spans["GET films"], spans["postgresql"]
	if len(spans) != 2 || server == nil || query == nil {
		t.Fatalf("got %v", spans)
	}
	if server.Kind != wire.Span_SPAN_KIND_SERVER || hex.EncodeToString(server.ParentSpanId) != clientSpan {
		t.Errorf("server span: %v", server)
	}
	if query.Kind != wire.Span_SPAN_KIND_CLIENT || !bytes.Equal(query.ParentSpanId, server.SpanId) ||
		!bytes.Equal(query.TraceId, server.TraceId) {
		t.Errorf("the query is no child of the request: %v", query)
	}
	want := map[string]string{
		"http.request.method": "GET", "http.route": "films", "http.response.status_code": "Internal Server Error",
		"url.path": "/films", "url.scheme": "http", "server.address": "api.example", "client.address": "192.0.2.1",
		"user_agent.original": "curl/8", "network.protocol.version": "1.1", "error.type": "57014",
	}
	if diff := cmp.Diff(want, attributes(server.Attributes)); diff != "" {
		t.Errorf("server span (-want +got):\n%s", diff)
	}
	want = map[string]string{
		"db.system.name": "postgresql", "db.query.text": parameterSQL,
		"db.response.status_code": "57014", "error.type": "57014",
	}
	if diff := cmp.Diff(want, attributes(query.Attributes)); diff != "" {
		t.Errorf("query span (-want +got):\n%s", diff)
	}
	if server.Status.Code != wire.Status_STATUS_CODE_ERROR || query.Status.Code != wire.Status_STATUS_CODE_ERROR {
		t.Error("a failure is not marked as one")
	}
}

func TestServiceNameAndSampling(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "from-env")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	for _, tt := range []struct {
		options telemetry.TracerOptions
		want    string // service.name; empty for nothing sampled
	}{
		{telemetry.TracerOptions{}, ""},
		{telemetry.TracerOptions{SampleRatio: 1}, "from-env"},
		{telemetry.TracerOptions{SampleRatio: 1, ServiceName: "named"}, "named"},
	} {
		collector := &otlpCollector{}
		tt.options.Endpoint = collector.serveHTTP(t) + "/"
		tracer, err := telemetry.NewTracer(tt.options, discard())
		if err != nil {
			t.Fatal(err)
		}
		if err := tracer.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		traced(t, tracer)
		if err := tracer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := collector.resource()["service.name"]; got != tt.want {
			t.Errorf("%+v: service.name %q, want %q", tt.options, got, tt.want)
		}
	}
}

func TestFailedExportsAreLogged(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, slog.LevelDebug)
	tracer, err := telemetry.NewTracer(telemetry.TracerOptions{Endpoint: srv.URL}, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	traced(t, tracer)
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), `"level":"warn","msg":"traces not sent","spans":2`) {
		t.Errorf("log: %s", &out)
	}
}

func TestTracerOptionsAreChecked(t *testing.T) {
	for _, o := range []telemetry.TracerOptions{
		{Endpoint: "localhost:4318"},
		{Endpoint: "ftp://localhost"},
		{Endpoint: "http://"},
		{Endpoint: "http://localhost:4317", Protocol: "http/json"},
	} {
		if _, err := telemetry.NewTracer(o, discard()); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestTracingOffCostsNothing(t *testing.T) {
	off, err := telemetry.NewTracer(telemetry.TracerOptions{}, discard())
	if err != nil || off != nil {
		t.Fatalf("got %v, %v", off, err)
	}
	if off.Start(t.Context()) != nil || off.Close(t.Context()) != nil {
		t.Error("a nil tracer does not start and close")
	}
	r := httptest.NewRequest(http.MethodGet, "/films", nil)
	req := &telemetry.Request{}
	maxAllocs(t, 0, func() {
		ctx, span := off.StartRequest(r.Context(), r)
		_, query := off.StartQuery(ctx, parameterSQL)
		query.EndQuery("")
		span.EndRequest(r.Method, req, 200)
		if span.TraceID() != "" {
			t.Fatal("a trace")
		}
	})
}
