package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/edge"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// observed drains srv and returns its access log, line by line.
func observed(t *testing.T, srv *running, access *telemetry.AccessLog, out *bytes.Buffer) []map[string]any {
	t.Helper()
	srv.stop()
	if err := <-srv.done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := access.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, m)
	}
	return lines
}

func TestRequestsAreObserved(t *testing.T) {
	var out bytes.Buffer
	access := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{})
	metrics := telemetry.NewMetrics(telemetry.MetricsOptions{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := telemetry.RequestFrom(r.Context())
		req.SetRole("web_anon")
		switch r.URL.Path {
		case "/films":
			req.SetRoute("films")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte("four"))
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	})
	srv := plain(t, handler, edge.Observe(edge.Observer{Access: access, Metrics: metrics}))
	srv.do(t, "GET", "/films?a=1", "X-Request-Id", "r1", "User-Agent", "test", "Authorization", "Bearer s3cret")
	srv.do(t, "GET", "/empty")
	if res, err := srv.client.Get(srv.url + "/abort"); err == nil {
		res.Body.Close()
		t.Error("an aborted answer came through")
	}

	lines := observed(t, srv, access, &out)
	if strings.Contains(out.String(), "s3cret") {
		t.Error("the log has a token")
	}
	if len(lines) < 3 {
		t.Fatalf("log: %s", &out)
	}
	for key, want := range map[string]any{
		"id": "r1", "method": "GET", "path": "/films", "query": "a=1", "status": 201.0, "bytes": 4.0,
		"user_agent": "test", "role": "web_anon", "route": "films",
	} {
		if lines[0][key] != want {
			t.Errorf("%s: %v, want %v", key, lines[0][key], want)
		}
	}
	if host, _, err := net.SplitHostPort(lines[0]["remote"].(string)); err != nil || host != "127.0.0.1" {
		t.Errorf("remote: %v", lines[0]["remote"])
	}
	if lines[1]["status"] != 200.0 || lines[2]["status"] != 500.0 || lines[2]["aborted"] != true {
		t.Errorf("log: %s", &out)
	}
	w := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`slipstream_http_request_duration_seconds_count{method="GET",route="films",status="201"} 1`,
		`slipstream_http_request_duration_seconds_count{method="GET",route="other",status="200"} 1`,
		`slipstream_http_requests_in_flight 0`,
	} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("no metric %s", line)
		}
	}
}

func TestTracesAreSent(t *testing.T) {
	exports := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		exports <- string(body)
	}))
	defer collector.Close()
	tracer, err := telemetry.NewTracer(telemetry.TracerOptions{Endpoint: collector.URL}, discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	access := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{})
	srv := plain(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		telemetry.RequestFrom(r.Context()).SetRoute("films")
	}), edge.Observe(edge.Observer{Access: access, Tracer: tracer}))
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	srv.do(t, "GET", "/films", "Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	lines := observed(t, srv, access, &out)
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1 || lines[0]["trace_id"] != trace {
		t.Errorf("log: %s", &out)
	}
	if export := <-exports; !strings.Contains(export, "GET films") { // strings are plain in protobuf
		t.Errorf("export: %q", export)
	}
}

func TestRequestID(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, telemetry.RequestFrom(r.Context()).ID)
	})
	srv := plain(t, handler, edge.Observe(edge.Observer{}))
	for sent, kept := range map[string]bool{
		"1":                      true,
		"Ab-_.:=+/@9":            true,
		strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false,
		"":                       false,
		"a b":                    false,
		`"}`:                     false,
		"é":                      false,
	} {
		res, body := srv.do(t, "GET", "/", "X-Request-Id", sent)
		got := res.Header.Get("X-Request-Id")
		if got != body {
			t.Errorf("the client sees %q, the handler %q", got, body)
		}
		if (got == sent) != kept || (!kept && len(got) != 32) {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
	seen := map[string]bool{}
	for range 200 { // more than a block
		res, _ := srv.do(t, "GET", "/")
		seen[res.Header.Get("X-Request-Id")] = true
	}
	if len(seen) != 200 {
		t.Errorf("%d different ids of 200", len(seen))
	}
}

func TestTraceHeader(t *testing.T) {
	srv := plain(t, http.NotFoundHandler(), edge.TraceHeader("X-Trace"))
	res, _ := srv.do(t, "HEAD", "/", "X-Trace", "any thing")
	if got := res.Header.Get("X-Trace"); got != "any thing" {
		t.Errorf("got %q", got)
	}
	res, _ = srv.do(t, "HEAD", "/")
	if values, ok := res.Header["X-Trace"]; !ok || values[0] != "" {
		t.Errorf("without: %q; PostgREST sends it empty", values)
	}
	res, _ = plain(t, http.NotFoundHandler(), edge.TraceHeader("")).do(t, "GET", "/")
	if _, ok := res.Header[""]; ok || res.StatusCode != 404 {
		t.Errorf("got %v", res.Header)
	}
}

// The wrapped writer must still do all that net/http's can.
func TestWriterKeepsItsPowers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	released := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/flush":
			w.(http.Flusher).Flush()
			<-released
			_, _ = io.WriteString(w, "after the flush")
		case "/file":
			http.ServeFile(w, r, file)
		case "/readfrom":
			_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("read from"))
		case "/deadline":
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(w, "deadline")
		case "/hijack":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhijacked")
			_ = conn.Close()
		}
	})
	var out bytes.Buffer
	access := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{})
	srv := plain(t, handler, edge.Observe(edge.Observer{Access: access}))
	for path, want := range map[string]string{
		"/file": "from a file", "/readfrom": "read from", "/deadline": "deadline", "/hijack": "hijacked",
	} {
		if _, body := srv.do(t, "GET", path); body != want {
			t.Errorf("%s: %q", path, body)
		}
	}
	conn, err := net.Dial("tcp", srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /flush HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil { // would hang if headers were not flushed
		t.Fatal(err)
	}
	close(released)
	if body, _ := io.ReadAll(res.Body); string(body) != "after the flush" {
		t.Errorf("flush: %q", body)
	}
	res.Body.Close()
	bytesOf := map[string]float64{"/file": 11, "/readfrom": 9, "/deadline": 8, "/flush": 15}
	for _, line := range observed(t, srv, access, &out) {
		path, _ := line["path"].(string)
		if want, ok := bytesOf[path]; ok && line["bytes"] != want {
			t.Errorf("%s: %v bytes logged, want %v", path, line["bytes"], want)
		}
	}
}

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}

func fullChain() (http.Handler, *http.Request, nowhere) {
	body := []byte("[]")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		telemetry.RequestFrom(r.Context()).SetRoute("films")
		_, _ = w.Write(body)
	})
	access := telemetry.NewAccessLog(io.Discard, telemetry.AccessLogOptions{Queue: 1})
	h := edge.Chain(handler,
		edge.Observe(edge.Observer{Access: access, Metrics: telemetry.NewMetrics(telemetry.MetricsOptions{})}),
		edge.TraceHeader(""), edge.CORS(nil), edge.Recover(discard(), 0), edge.Limit(edge.Limits{}, 0))
	r := httptest.NewRequest("GET", "/films?id=eq.1", nil)
	r.Header.Set("User-Agent", "test")
	return h, r, nowhere{header: http.Header{}}
}

// The chain's whole cost: its state and net/http's copy of the request.
func TestChainAllocatesTwice(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	h, r, w := fullChain()
	h.ServeHTTP(w, r)
	if got := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); got > 2 {
		t.Errorf("%v allocations, the budget is 2", got)
	}
}

func BenchmarkChain(b *testing.B) {
	b.ReportAllocs()
	h, r, w := fullChain()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
