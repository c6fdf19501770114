package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) {
	if host := os.Getenv(answeringAt); host != "" { // as in main
		_ = answerAt(host)
		return
	}
	pgtest.Main(m)
}

// TestBenchmark runs the parts of the program on a hundredth of the sample, for a second where it is the time that is
// measured. What it measures is of no interest here.
func TestBenchmark(t *testing.T) {
	b, err := newBed(t.Context(), pgtest.Server(t), 0.01, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o := options{program: buildServer(t), rounds: 1, seconds: 1, scenarios: scenarios(), rows: keyRange{100000, 100999}}
	t.Run("answers", func(t *testing.T) { testAnswers(t, o, b) })
	t.Run("rates", func(t *testing.T) { testRates(t, o, b) })
	t.Run("inserts", func(t *testing.T) { testInserts(t, o, b) })
	t.Run("cache", func(t *testing.T) { testCache(t, o, b) })
	t.Run("profile", func(t *testing.T) { testProfile(t, o, b) })
	t.Run("bulk", func(t *testing.T) { testBulk(t, o, b) })
	t.Run("overload", func(t *testing.T) { testOverload(t, o, b) })
	t.Run("streams", func(t *testing.T) { testStreams(t, o, b) })
}

func buildServer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "slipstream")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/slipstream").CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	return program
}

// testAnswers looks whether both sides answer the same, and whether a difference would be found.
func testAnswers(t *testing.T, o options, b *bed) {
	r := &run{options: o, bed: b, server: startTestServer(t, o, b), progress: io.Discard}
	var err error
	if r.pgbench, err = newPgbench(t.Context(), b, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for _, sc := range o.scenarios {
		ref, keys, err := r.prepare(t.Context(), sc)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.verify(t.Context(), sc, ref, keys); err != nil {
			t.Error(err)
		}
		if sc.writes() {
			nothing := ref
			nothing.main = statement{sql: "select 1"}
			wantError(t, sc.name, r.verify(t.Context(), sc, nothing, keys), "pgbench 0")
			continue
		}
		wrongRows := ref
		wrongRows.main.args = append([]string{"1"}, ref.main.args[1:]...) // another limit, or always the same key
		wantError(t, sc.name, r.verify(t.Context(), sc, wrongRows, keys), "answers differ")
		wrongSQL := ref
		wrongSQL.main.sql = " " + ref.main.sql
		wantError(t, sc.name, r.verify(t.Context(), sc, wrongSQL, keys), "runs another statement")
		if sc.asCustomer {
			nobody := ref
			nobody.settings = statement{}
			wantError(t, sc.name, r.verify(t.Context(), sc, nobody, keys), "answers differ")
		}
	}
	empty := scenario{name: "empty", path: "/products?select=id&id=eq.-{key}", keys: "select 1, 2"}
	ref, keys, err := r.prepare(t.Context(), empty)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "empty", r.verify(t.Context(), empty, ref, keys), "none of the sampled answers has a row")
}

func startTestServer(t *testing.T, o options, b *bed) *server {
	t.Helper()
	s, err := startServer(t.Context(), o.program, b, shop.Schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

func wantError(t *testing.T, what string, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: error %v, want one with %q", what, err, text)
	}
}

func needWrk(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("wrk is not installed: scripts/deps.sh wrk")
	}
}

// testRates measures one scenario without and one with tokens, and writes the report.
func testRates(t *testing.T, o options, b *bed) {
	needWrk(t)
	all := scenarios()
	o.scenarios = []scenario{all[0], all[len(readScenarios())-1], all[len(all)-1]}
	o.out = filepath.Join(t.TempDir(), "benchmarks.md")
	var out, progress bytes.Buffer
	if err := benchmark(t.Context(), o, b, machine{cpu: "some CPU"}, &out, &progress); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	section, _ := between(string(written), opening("rates"), closing("rates"))
	if section == "" || !strings.Contains(out.String(), section) {
		t.Errorf("the file holds\n%s\nthe output\n%s", section, &out)
	}
	for _, sc := range o.scenarios {
		if !strings.Contains(section, "| "+sc.name+" ") || !strings.Contains(progress.String(), sc.name) {
			t.Errorf("%s is missing in\n%s", sc.name, section)
		}
	}
}

func testInserts(t *testing.T, o options, b *bed) {
	needWrk(t)
	o.inserts, o.out = true, filepath.Join(t.TempDir(), "benchmarks.md")
	var out bytes.Buffer
	if err := benchmark(t.Context(), o, b, machine{}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "| sharing transactions") || !strings.Contains(out.String(), "fsync") {
		t.Errorf("report\n%s", &out)
	}
}

// testCache measures all that is measured of the cache, and writes the report.
func testCache(t *testing.T, o options, b *bed) {
	needWrk(t)
	needProgram(t, "nginx")
	needProgram(t, "varnishd")
	o.cache, o.out = true, filepath.Join(t.TempDir(), "benchmarks.md")
	var out, progress bytes.Buffer
	if err := benchmark(t.Context(), o, b, machine{}, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, want := range []string{
		"| cached hit ", "| cached hit, JWT ", "| 304 ", "| cached hit, br ", " bare net/http ", " Slipstream ", " nginx ", " Varnish ",
		"| with the cache ", "| of the same row ", "| staleness p99 ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	t.Log(out.String())
}

// needProgram skips tests where a program of the system's is not installed.
func needProgram(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil && !isFile("/usr/sbin/"+program) {
		t.Skip(program + " is not installed: scripts/deps.sh nginx varnish")
	}
}

func testProfile(t *testing.T, o options, b *bed) {
	needWrk(t)
	o.profile = filepath.Join(t.TempDir(), "default.pgo")
	if err := benchmark(t.Context(), o, b, machine{}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	top, err := exec.CommandContext(t.Context(), "go", "tool", "pprof", "-top", "-cum", o.profile).CombinedOutput()
	if err != nil || !strings.Contains(string(top), "rest.(*Handler).ServeHTTP") {
		t.Errorf("the profile has nothing of the data API: %v\n%s", err, top)
	}
}

// TestWrkErrors makes sure that no error answer is counted as a request.
func TestWrkErrors(t *testing.T) {
	needWrk(t)
	w, err := newWrk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &server{host: refusing(t)}
	_, err = w.run(t.Context(), s, scenario{path: "/{key}"}, keyRange{1, 2}, 1, 1)
	wantError(t, "404", err, "Non-2xx")
}

func testBulk(t *testing.T, o options, b *bed) {
	var progress bytes.Buffer
	r, err := measureBulk(t.Context(), o, b, 2000, &progress)
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []string{"COPY, CSV", "JSON", "JSON, rows returned", "CSV", "CSV, rows returned"} {
		if !strings.Contains(r.text, "| "+side+" ") || !strings.Contains(progress.String(), side) {
			t.Errorf("%s is missing in\n%s", side, r.text)
		}
	}
	document, csv := bulkBodies(3)
	server := startTestServer(t, o, b)
	for _, c := range []struct {
		side  bulkSide
		rows  int
		error string
	}{
		{bulkSide{body: csv}, 4, "3 rows were written"},
		{bulkSide{contentType: "application/json", body: document, server: server}, 4, "3 rows were written"},
		{bulkSide{contentType: "text/csv", body: document, server: server}, 3, "400 Bad Request"},
		{bulkSide{body: document}, 3, "0 rows were written"},
	} {
		_, err := c.side.run(t.Context(), b, c.rows)
		wantError(t, c.side.contentType, err, c.error)
	}
}

func testStreams(t *testing.T, o options, b *bed) {
	const size = 5_000_000
	var progress bytes.Buffer
	r, err := measureStreams(t.Context(), o, b, size, &progress)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"application/x-ndjson", "text/csv"} {
		if !strings.Contains(r.text, "| "+format+" ") || !strings.Contains(progress.String(), format) {
			t.Errorf("%s is missing in\n%s", format, r.text)
		}
	}
	s, err := stream(t.Context(), o.program, b, "text/csv")
	if err != nil {
		t.Fatal(err)
	}
	if s.bytes < size || s.before == 0 || s.most < s.before || s.took <= 0 {
		t.Errorf("measured %+v", s)
	}
}

// TestServerUsage asks a process that is there for sure: this one.
func TestServerUsage(t *testing.T) {
	s := &server{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}
	rss, err := s.rss()
	if err != nil || rss < 1e6 {
		t.Errorf("RSS %d, %v", rss, err)
	}
	stat, err := s.proc("stat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseCPU(stat); err != nil {
		t.Error(err)
	}
}

func TestStartServerSaysWhy(t *testing.T) {
	b := &bed{cluster: pgtest.Server(t)}
	_, err := startServer(t.Context(), "/bin/false", b, shop.Schema)
	wantError(t, "/bin/false", err, "ended by itself")
}
