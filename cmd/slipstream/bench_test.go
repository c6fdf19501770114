package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// service is what scripts load, and break connections to. It answers with the path it is asked for; /slow?for=20ms takes its
// time, /flaky fails every other time, and /echo answers what it is sent.
func service() http.Handler {
	var n atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		wait, err := time.ParseDuration(r.URL.Query().Get("for"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		time.Sleep(wait)
	})
	mux.HandleFunc("/flaky", func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	return mux
}

// What the README has people type works, against a service of the test's and for less time.
func TestExamplesOfTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "bin"), 0o700), os.Symlink(self, filepath.Join(dir, "bin", "slipstream"))); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(service())
	defer server.Close()
	host := server.Listener.Addr().String()
	here := strings.NewReplacer("127.0.0.1:3000", host, "127.0.0.1:5432", host, "127.0.0.1:5433", "127.0.0.1:0", "--duration 10s", "--duration 500ms", "--latency", "--for 1ms --latency")
	examples := regexp.MustCompile(`(?m)^    (bin/slipstream (?:bench|chaos) .*)$`).FindAllSubmatch(readme, -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples", len(examples))
	}
	for i, want := range []string{"an open loop", "proxy reset: probability: 1%, reset: true"} {
		example := here.Replace(string(examples[i][1]))
		command := exec.CommandContext(t.Context(), "sh", "-c", example)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", example, err, out)
		}
	}
	if page, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || !bytes.Contains(page, []byte("<svg")) {
		t.Errorf("the page: %v", err)
	}
}

func TestLiveView(t *testing.T) {
	var out bytes.Buffer
	v := &liveView{out: &out}
	latency := hdrhistogram.New(1, 60_000_000, 3)
	for ms := range int64(1000) {
		if err := latency.RecordValue(ms * 1000); err != nil {
			t.Fatal(err)
		}
	}
	row := loadtest.Row{Latency: latency, Errors: map[string]uint64{"timeout": 3, "status 503": 12}}
	progress := loadtest.Progress{
		Elapsed: 15 * time.Second, Whole: time.Minute, Phase: loadtest.Phase{Name: "ramp"}, Offered: 2000, Achieved: 1987.4, InFlight: 14,
		Since: loadtest.Row{}, Total: row, Behind: 250 * time.Millisecond,
	}
	v.name("run 2 of 3:", true)
	v.show(progress)
	want := `  [######..................] 15.0 s of 60.0 s  run 2 of 3: ramp
  rate    1987/s of 2000/s that are asked for   14 in flight   0.2 s behind
  now     no answers
  so far  p50 499 ms  p90 899 ms  p99 989 ms  p99.9 998 ms  max 999 ms
  errors  status 503: 12, timeout: 3
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	v.say("it stays")
	v.show(progress)
	if got := out.String(); !strings.HasPrefix(got, "\x1b[5A\x1b[J  it stays\n  [####") || strings.Count(got, "\x1b[") != 2 {
		t.Errorf("written over: %q", got)
	}
	none := newLiveView(&out)
	none.name("x", true)
	none.say("x")
	none.clear()
	if none != nil {
		t.Error("a live view of what is no terminal")
	}
}
