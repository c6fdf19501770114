package report_test

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

func written(t interface{ Fatal(...any) }, r report.Report) []byte {
	var b bytes.Buffer
	if err := report.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// same compares reports. Files do not tell empty from nil.
func same(a, b report.Report) string {
	return cmp.Diff(a, b, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b *hdrhistogram.Histogram) bool {
		if a == nil || b == nil {
			return a == b
		}
		return a.Equals(b)
	}))
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawn(t)
		got, err := report.Read(bytes.NewReader(written(t, want)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func drawn(t *rapid.T) report.Report {
	r := report.Report{
		Tool: name(t), When: time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "when")).UTC(), Machine: report.ThisMachine(),
		Scenario: report.Scenario{Name: name(t), Digest: name(t)},
	}
	r.Runs = rapid.SliceOfN(rapid.Custom(drawnRun), 0, 3).Draw(t, "runs")
	if len(r.Runs) == 0 || rapid.Bool().Draw(t, "stress") {
		r.Knee = &report.Knee{Objective: report.Objective{Quantile: rapid.Float64Range(0, 1).Draw(t, "q"), Limit: period(t)}, Rate: positive(t), Bound: rapid.String().Draw(t, "bound")}
		for range rapid.IntRange(0, 4).Draw(t, "points") {
			r.Knee.Points = append(r.Knee.Points, report.Point{Asked: positive(t), Achieved: positive(t), Latency: period(t), P50: period(t),
				P90: period(t), P99: period(t), P999: period(t), Max: period(t), Errors: positive(t), OK: rapid.Bool().Draw(t, "ok"), Why: name(t)})
		}
	}
	return r
}

func drawnRun(t *rapid.T) *loadtest.Result {
	r := &loadtest.Result{
		Target: name(t), Protocol: name(t), Open: rapid.Bool().Draw(t, "open"), Seed: rapid.Uint64().Draw(t, "seed"),
		Started: time.Unix(0, rapid.Int64Range(0, 1<<60).Draw(t, "started")).UTC(), Took: period(t), Total: drawnRow(t),
		Shapes: rapid.SliceOfN(rapid.Custom(drawnRow), 0, 3).Draw(t, "shapes"), Groups: rapid.SliceOfN(rapid.Custom(drawnRow), 0, 2).Draw(t, "groups"),
		Generator: loadtest.Generator{Late: drawnHistogram(t, 3), Waited: rapid.Uint64().Draw(t, "waited"), Connections: 3, Opened: 4,
			CPU: period(t), Cores: 2, Bottleneck: name(t)},
	}
	for range rapid.IntRange(1, 3).Draw(t, "phases") {
		p := loadtest.PhaseRow{Row: drawnRow(t), Start: period(t), Took: period(t), Phase: loadtest.Phase{
			Duration: period(t), From: positive(t), To: positive(t), Steps: rapid.IntRange(0, 9).Draw(t, "steps"), WarmUp: rapid.Bool().Draw(t, "warm-up")}}
		p.Phase.Name = p.Name
		r.Phases = append(r.Phases, p)
	}
	length := 1 + period(t)
	for i := range rapid.IntRange(0, 4).Draw(t, "intervals") {
		r.Series = append(r.Series, loadtest.Interval{Start: time.Duration(i) * length, Length: length, Due: 5, Sent: 4, Good: 3, Errors: 1,
			Latency: drawnHistogram(t, 2), Offered: positive(t)})
	}
	for range rapid.IntRange(0, 2).Draw(t, "faults") {
		r.Faults = append(r.Faults, loadtest.Fault{Start: period(t), Length: period(t), Name: name(t)})
	}
	return r
}

func drawnRow(t *rapid.T) loadtest.Row {
	n := rapid.Uint64()
	return loadtest.Row{Name: name(t), Due: n.Draw(t, "due"), Sent: n.Draw(t, "sent"), Good: n.Draw(t, "good"), BytesIn: n.Draw(t, "in"),
		BytesOut: n.Draw(t, "out"), Errors: rapid.MapOfN(rapid.String(), n, 0, 3).Draw(t, "errors"), Latency: drawnHistogram(t, 3), Own: drawnHistogram(t, 3)}
}

func drawnHistogram(t *rapid.T, digits int) *hdrhistogram.Histogram {
	if rapid.IntRange(0, 9).Draw(t, "nil") == 0 {
		return nil
	}
	h := hdrhistogram.New(1, 60_000_000, digits)
	for _, v := range rapid.SliceOfN(rapid.Int64Range(0, 60_000_000), 0, 20).Draw(t, "values") {
		if err := h.RecordValues(v, rapid.Int64Range(1, 1<<40).Draw(t, "times")); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func name(t *rapid.T) string { return rapid.String().Draw(t, "name") }
func period(t *rapid.T) time.Duration {
	return time.Duration(rapid.Int64Range(0, int64(20*24*time.Hour)).Draw(t, "period"))
}
func positive(t *rapid.T) float64 { return rapid.Float64Range(0, 1e12).Draw(t, "positive") }

// Others read the files, too: a change of the format must be seen. How histograms are compressed is the compressor's business.
func TestFormat(t *testing.T) {
	r := eventful()
	r.intervals, r.rate = 2, 2
	want := r.repeated(1)
	want.Knee = knee()
	golden(t, "report.json", regexp.MustCompile(`"HISTF[^"]*"`).ReplaceAllString(string(written(t, want)), `"HISTF…"`))
}

func TestReadRefuses(t *testing.T) {
	valid := string(written(t, plain().repeated(1)))
	for name, c := range map[string]struct{ from, to, says string }{
		"another format":      {`"load test report"`, `"trace"`, `not a report of a load test`},
		"another version":     {`"version": 1`, `"version": 2`, `written by "slipstream 1.4.0"; this program reads version 1`},
		"no JSON":             {"{", "<", "not JSON"},
		"an unknown field":    {`"seed"`, `"seedling"`, `unknown field "seedling"`},
		"a negative duration": {`"durationSeconds": 20`, `"durationSeconds": -20`, "between 0 and 100 days"},
		"an endless one":      {`"durationSeconds": 20`, `"durationSeconds": 1e300`, "between 0 and 100 days"},
		"a negative count":    {`"good": 4000`, `"good": -1`, "cannot unmarshal"},
		"a broken histogram":  {`"HISTFAAA`, `"HISTFBBB`, "a histogram"},
		"a negative rate":     {`"fromPerSecond": 200`, `"fromPerSecond": -1`, "cannot be"},
		"an endless rate":     {`"toPerSecond": 200`, `"toPerSecond": 1e308`, "cannot be"},
		"an empty interval":   {`"lengthSeconds": 1`, `"lengthSeconds": 0`, "interval 1"},
		"overlapping ones":    {`"lengthSeconds": 1`, `"lengthSeconds": 2`, "interval 2"},
	} {
		broken := strings.Replace(valid, c.from, c.to, 1)
		if broken == valid {
			t.Fatalf("%s: nothing to replace", name)
		}
		if _, err := report.Read(strings.NewReader(broken)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
	if _, err := report.Read(strings.NewReader(valid + "{}")); err == nil || !strings.Contains(err.Error(), "after") {
		t.Errorf("something after the end: %v", err)
	}
	if _, err := report.Read(bytes.NewReader(written(t, reportOf()))); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("neither runs nor a knee: %v", err)
	}
	huge := hdrhistogram.New(1, 1000, 5)
	r := plain().run()
	r.Total.Own = huge
	if _, err := report.Read(bytes.NewReader(written(t, reportOf(r)))); err == nil || !strings.Contains(err.Error(), "three digits") {
		t.Errorf("a histogram of five digits: %v", err)
	}
}

// What can be read can be shown, compared and written, and is then the same.
func FuzzRead(f *testing.F) {
	h := hdrhistogram.New(1, 1000, 1)
	_ = h.RecordValue(500)
	row := loadtest.Row{Name: "a", Due: 1, Sent: 1, Good: 1, Errors: map[string]uint64{"timeout": 1}, Latency: h, Own: h}
	r := reportOf(&loadtest.Result{Open: true, Total: row, Shapes: []loadtest.Row{row, row}, Phases: []loadtest.PhaseRow{{Row: row, Took: 1}},
		Series: []loadtest.Interval{{Length: 1, Latency: h}}, Faults: []loadtest.Fault{{Name: "reset"}}})
	r.Knee = knee()
	f.Add(written(f, r))
	f.Add([]byte(`{"format":"load test report","version":1,"runs":[{"phases":[{}],"series":[{"lengthSeconds":1}]}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := report.Read(bytes.NewReader(content))
		if err != nil {
			return
		}
		again, err := report.Read(bytes.NewReader(written(t, r)))
		if err != nil {
			t.Fatal(err)
		}
		if a, b := written(t, r), written(t, again); !bytes.Equal(a, b) {
			t.Errorf("written twice:\n%s\nand\n%s", a, b)
		}
		_ = text(t, r, report.Terminal{})
		if err := report.HTML(io.Discard, r); err != nil {
			t.Error(err)
		}
		if len(r.Runs) > 0 {
			_ = compared(t, r, r, report.Options{AllowDifferent: true})
		}
	})
}

// The derived figures are those of the histogram beside them.
func TestFilesCanBeReadWithoutHistograms(t *testing.T) {
	var f struct {
		Runs []struct {
			Total struct {
				Latency map[string]float64 `json:"latencyMilliseconds"`
			}
		}
	}
	r := plain().run()
	if err := json.Unmarshal(written(t, reportOf(r)), &f); err != nil {
		t.Fatal(err)
	}
	for key, q := range map[string]float64{"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9, "max": 100} {
		if got, want := f.Runs[0].Total.Latency[key], float64(r.Total.Latency.ValueAtQuantile(q))/1000; got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}
