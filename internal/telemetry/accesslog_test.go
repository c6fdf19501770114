package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// written runs the log until all that was queued is written.
func written(t *testing.T, log *telemetry.AccessLog, out *bytes.Buffer) []map[string]any {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := log.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, m)
	}
	return lines
}

func TestAccessLine(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{})
	log.Log(&telemetry.Access{
		Time: time.Date(2026, 11, 20, 13, 0, 0, 123456789, time.FixedZone("", 3600)),
		ID:   "r1", Method: "GET", Path: "/films", Query: "title=eq.%22Brazil%22&apikey=s3cret&Access_Token=x&z",
		Status: 404, Bytes: 56, Took: 1234567 * time.Nanosecond, Remote: "127.0.0.1:9", UserAgent: `a"b\c`,
		Role: "web_anon", Route: "films", Code: "PGRST205", SQL: `select "é"`, TraceID: "abc", Aborted: true,
	})
	log.Log(&telemetry.Access{Method: "GET", Path: "/", Status: 200})
	lines := written(t, log, &out)
	want := `{"time":"2026-11-20T12:00:00.123456Z","level":"warn","msg":"request","id":"r1","method":"GET",` +
		`"path":"/films","query":"title=eq.%22Brazil%22&apikey=***&Access_Token=***&z","status":404,"bytes":56,` +
		`"duration_ms":1.235,"remote":"127.0.0.1:9","user_agent":"a\"b\\c","role":"web_anon","route":"films",` +
		`"code":"PGRST205","sql":"select \"é\"","trace_id":"abc","aborted":true}`
	if first, _, _ := strings.Cut(out.String(), "\n"); first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	if len(lines) != 2 || lines[1]["level"] != "info" || lines[1]["query"] != nil || lines[1]["role"] != nil {
		t.Errorf("second line: %v", lines)
	}
}

func TestAccessLogOmitsQuery(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{OmitQuery: true})
	log.Log(&telemetry.Access{Path: "/people", Query: "name=eq.Ada", Status: 200})
	if lines := written(t, log, &out); len(lines) != 1 || lines[0]["query"] != nil {
		t.Errorf("got %v", lines)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{})
	long := strings.Repeat("é", 50000)
	log.Log(&telemetry.Access{Path: long, Query: long, UserAgent: long, Status: 200})
	if written(t, log, &out); out.Len() > 3*4096+500 {
		t.Errorf("a line of %d bytes", out.Len())
	}
}

func TestDropsAreAMetric(t *testing.T) {
	metrics := telemetry.NewMetrics(telemetry.MetricsOptions{})
	log := telemetry.NewAccessLog(&bytes.Buffer{}, telemetry.AccessLogOptions{Queue: 1})
	if err := metrics.WatchAccessLog(log); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		log.Log(&telemetry.Access{Status: 200})
	}
	wantLines(t, scrape(t, metrics), "slipstream_access_log_dropped_total 2")
}

func TestAccessLogLevels(t *testing.T) {
	for name, want := range map[string]string{
		"debug": "200 404 500", "info": "200 404 500", "warn": "404 500", "error": "500", "crit": "",
	} {
		level, err := telemetry.ParseLevel(name)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		log := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{Level: level})
		for _, status := range []int{200, 404, 500} {
			log.Log(&telemetry.Access{Status: status})
		}
		var got []string
		for _, line := range written(t, log, &out) {
			b, _ := json.Marshal(line["status"])
			got = append(got, string(b))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
	var none *telemetry.AccessLog
	none.Log(&telemetry.Access{Status: 500}) // must not panic
}

// stuckWriter blocks every Write until it is released.
type stuckWriter struct {
	entered, release chan struct{}
	bytes.Buffer
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	select {
	case w.entered <- struct{}{}:
	default:
	}
	<-w.release
	return w.Buffer.Write(p)
}

func TestStuckOutputBlocksNoRequest(t *testing.T) {
	out := &stuckWriter{entered: make(chan struct{}, 1), release: make(chan struct{})}
	log := telemetry.NewAccessLog(out, telemetry.AccessLogOptions{Queue: 4})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()

	log.Log(&telemetry.Access{Status: 200})
	<-out.entered // the writer is stuck now
	for range 10 {
		log.Log(&telemetry.Access{Status: 200})
	}
	if got := log.Dropped(); got != 6 {
		t.Errorf("dropped %d, want 6: ten lines into a queue of four", got)
	}
	close(out.release)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), `"msg":"request"`); n != 5 {
		t.Errorf("%d requests written, want 5", n)
	}
	if !strings.Contains(out.String(), `"msg":"access log lines dropped","dropped":6}`) {
		t.Errorf("the log does not tell of the drops: %s", out.String())
	}
}

func TestStuckOutputDoesNotHoldUpShutdown(t *testing.T) {
	out := &stuckWriter{entered: make(chan struct{}, 1), release: make(chan struct{})}
	defer close(out.release) // for goleak
	log := telemetry.NewAccessLog(out, telemetry.AccessLogOptions{FlushTimeout: time.Millisecond})
	log.Log(&telemetry.Access{Status: 200})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := log.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// failingWriter fails its first Write.
type failingWriter struct {
	failed bool
	bytes.Buffer
}

var errFull = errors.New("disk full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if !w.failed {
		w.failed = true
		return 0, errFull
	}
	return w.Buffer.Write(p)
}

func TestAccessLogGoesOnAfterAnError(t *testing.T) {
	out := &failingWriter{}
	log := telemetry.NewAccessLog(out, telemetry.AccessLogOptions{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	log.Log(&telemetry.Access{Status: 200, ID: "lost"})
	if err := log.Run(ended); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	if log.Dropped() != 1 {
		t.Errorf("dropped %d, want 1", log.Dropped())
	}
	log.Log(&telemetry.Access{Status: 200, ID: "kept"})
	if err := log.Run(ended); err != nil || !strings.Contains(out.String(), "kept") {
		t.Errorf("got %v, %s", err, out.String())
	}
}

func TestAccessLogFromManyGoroutines(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{Queue: 1000})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 100 {
				log.Log(&telemetry.Access{Status: 200, Path: "/t"})
			}
		})
	}
	wg.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := len(written(t, log, &out)); n != 1000 {
		t.Errorf("%d lines, want 1000", n)
	}
}

func TestAccessLogAllocatesNothing(t *testing.T) {
	log := telemetry.NewAccessLog(&bytes.Buffer{}, telemetry.AccessLogOptions{Queue: 1})
	log.Log(&telemetry.Access{Status: 200}) // the queue is full: buffers come back at once
	now := time.Now()
	maxAllocs(t, 0, func() {
		log.Log(&telemetry.Access{Time: now, Path: "/films", Query: "id=eq.1", Status: 200, Took: time.Millisecond})
	})
}

func FuzzAccessLine(f *testing.F) {
	f.Add("/films", "id=eq.1", "curl/8")
	f.Add("\x00\x7f\"\\", "apikey=\"&&=&access_token", "\xff\xfe\u2028é")
	f.Fuzz(func(t *testing.T, path, query, agent string) {
		var out bytes.Buffer
		log := telemetry.NewAccessLog(&out, telemetry.AccessLogOptions{Level: slog.LevelDebug})
		log.Log(&telemetry.Access{Status: 200, Path: path, Query: query, UserAgent: agent})
		lines := written(t, log, &out)
		if len(lines) != 1 {
			t.Fatalf("%d lines", len(lines))
		}
		for key, value := range map[string]string{"path": path, "user_agent": agent} {
			if got, _ := lines[0][key].(string); utf8.ValidString(value) && len(value) <= 4096 && got != value {
				t.Errorf("%s: got %q, want %q", key, got, value)
			}
		}
	})
}

func BenchmarkAccessLog(b *testing.B) {
	b.ReportAllocs()
	log := telemetry.NewAccessLog(&bytes.Buffer{}, telemetry.AccessLogOptions{Queue: 1})
	line := telemetry.Access{
		Time: time.Now(), ID: "0123456789abcdef", Method: "GET", Path: "/films", Query: "select=*&id=eq.1",
		Status: 200, Bytes: 512, Took: time.Millisecond, Remote: "127.0.0.1:50000", UserAgent: "curl/8", Route: "films",
	}
	for b.Loop() {
		log.Log(&line)
	}
}
