package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	got := table([][]string{{"what", "µs"}, {"a", "1,234.5"}, {"longer", "6"}})
	const want = "" +
		"| what   |      µs |\n" +
		"| ------ | ------: |\n" +
		"| a      | 1,234.5 |\n" +
		"| longer |       6 |\n"
	if got != want {
		t.Errorf("table:\n%swant:\n%s", got, want)
	}
}

func TestNumbers(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 999.4: "999", 1000: "1,000", 1234567.8: "1,234,568", -12345: "-12,345", -123: "-123"} {
		if got := thousands(f); got != want {
			t.Errorf("thousands(%v) = %s, want %s", f, got, want)
		}
	}
	if odd, even := median([]float64{5, 1, 3}), median([]float64{4, 1, 2, 9}); odd != 3 || even != 3 {
		t.Errorf("medians %v and %v", odd, even)
	}
	if got := megabytes(41_160_704); got != "41.2" {
		t.Errorf("megabytes %s", got)
	}
}

func TestRatesReport(t *testing.T) {
	measured := func(pgbench, rate float64) round {
		return round{pgbench: pgbench, bare: 2 * pgbench, load: load{rate: rate, p50: 2 * time.Millisecond, p99: 9 * time.Millisecond},
			steady: load{p50: time.Millisecond, p99: 3 * time.Millisecond},
			cpu:    60 * time.Microsecond, objects: 96, bytes: 8500}
	}
	res := result{scenario: scenarios()[0], rss: 40e6, rounds: []round{measured(1000, 300), measured(2000, 480), measured(1000, 270)}}
	o := options{rounds: 3, seconds: 5, settle: 5 * time.Second}
	good := ratesReport(o, "wrk", []result{res}, 50e6)
	// The ratio is the median of the ratios, which is not the ratio of the medians.
	for _, want := range []string{
		"| point read |     1,000 |          300 | 0.270 | 0.24–0.30 |  2,000 |   0.135 |   2.00 |   9.00 |           1.00 |           3.00 |   60.0 |        96.0 | 8,500 |   40.0 |",
		"| point read: ratio ≥ 0.25       |    0.270 | reached |",
		"| RSS 5 s after the run < 120 MB |  50.0 MB | reached |",
	} {
		if !strings.Contains(good.text, want) {
			t.Errorf("no %q in\n%s", want, good.text)
		}
	}
	large := ratesReport(o, "wrk", []result{res}, 120e6)
	res.rounds = res.rounds[1:2]
	slow := ratesReport(o, "wrk", []result{res}, 50e6)
	if !good.reached || large.reached || slow.reached {
		t.Errorf("targets reached: %v, with much memory %v, with a low ratio %v", good.reached, large.reached, slow.reached)
	}
	if strings.Count(large.text, "MISSED") != 1 || strings.Count(slow.text, "MISSED") != 1 {
		t.Errorf("misses are not told:\n%s\n%s", large.text, slow.text)
	}
}

func TestStreamsReport(t *testing.T) {
	s := streamed{mediaType: "text/csv", bytes: 1e9, rows: 3e6, took: 4 * time.Second, before: 20e6, most: 83e6}
	if r := streamsReport([]streamed{s}); !r.reached || !strings.Contains(r.text, "250.0") {
		t.Errorf("report %+v", r)
	}
	s.most = 84e6
	if r := streamsReport([]streamed{s}); r.reached {
		t.Errorf("report %+v", r)
	}
}

func TestDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "benchmarks.md")
	update := func(section, text string) string {
		t.Helper()
		if err := updateDocument(file, section, text); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := update("rates", "fast\n"); !strings.Contains(got, "\nfast\n") || !strings.Contains(got, "run `make bench-stream`") {
		t.Errorf("first:\n%s", got)
	}
	update("streams", "small\n")
	if got := update("rates", "faster\n"); !strings.Contains(got, "\nfaster\n") || strings.Contains(got, "fast\n") || !strings.Contains(got, "\nsmall\n") {
		t.Errorf("third:\n%s", got)
	}
}

var update = flag.Bool("update", false, "put docs/benchmarks.md into its frame again, with the figures that it has")

// TestDocumentIsGenerated finds edits of docs/benchmarks.md, and of its frame, that the other did not get.
func TestDocumentIsGenerated(t *testing.T) {
	const file = "../../docs/benchmarks.md"
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := document(string(got), "", "")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(got) != want {
		t.Error("docs/benchmarks.md differs from internal/benchmark/benchmarks.md outside its figures: change the latter, and run this with -update")
	}
}
