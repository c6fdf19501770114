package report_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// tried is a load whose runs differ by a few percent from each other, as those on a busy machine do.
func tried(seed uint64) simulation {
	return simulation{seed: seed, rate: 1000, duration: 2 * time.Second, intervals: 20, median: 2 * time.Millisecond, noise: 0.05, errors: 0.01,
		shapes: []loadtest.Shape{{Name: "list"}, {Name: "one"}}}
}

// alone is a load for a single run, whose seconds differ from each other, but which would be the same again.
func alone(seed uint64) simulation {
	return simulation{seed: seed, rate: 250, duration: 40 * time.Second, warmUp: 2 * time.Second, intervals: 42, median: 2 * time.Millisecond, drift: 0.15, errors: 0.01}
}

func compared(t *testing.T, before, after report.Report, o report.Options) report.Comparison {
	t.Helper()
	c, err := report.Compare(before, after, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// said counts the comparisons of which a line has a verdict.
func said(list []report.Comparison, v report.Verdict) (n int) {
	for _, c := range list {
		for _, l := range c.Lines {
			if l.Verdict == v {
				n++
				break
			}
		}
	}
	return n
}

// The strictest gate there is: any growth fails, if it is beyond chance.
func strict() report.Options { return report.Options{MaxRegression: 1e-9, MaxErrors: 1e-9} }

func TestCompareRaisesFewFalseAlarms(t *testing.T) {
	for name, c := range map[string]struct {
		load func(uint64) simulation
		runs int
	}{"five runs": {tried, 5}, "one run": {alone, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const times = 200
			var all []report.Comparison
			failed := 0
			for i := range uint64(times) {
				c := compared(t, c.load(1000*i).repeated(c.runs), c.load(1000*i+500).repeated(c.runs), strict())
				all = append(all, c)
				if c.Failed() {
					failed++
				}
			}
			if failed > times/20 {
				t.Errorf("%d of %d comparisons of a load with itself failed", failed, times)
			}
			if n := said(all, report.Better); n > times/20 {
				t.Errorf("%d of %d comparisons of a load with itself found something better", n, times)
			}
			t.Logf("worse: %d, better: %d", failed, said(all, report.Better))
		})
	}
}

// What is slower by 30 % is found, and the interval has the truth in it; that of the slices of one run is somewhat too narrow, as
// bootstraps of few blocks are.
func TestCompareFindsASlowdown(t *testing.T) {
	for name, c := range map[string]struct {
		load func(uint64) simulation
		runs int
	}{"five runs": {tried, 5}, "one run": {alone, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const times = 100
			failed, right := 0, 0
			for i := range uint64(times) {
				slow := c.load(1000*i + 500)
				slow.slower = 0.3
				found := compared(t, c.load(1000*i).repeated(c.runs), slow.repeated(c.runs), report.Options{})
				if found.Failed() {
					failed++
				}
				if l := line(t, found, "all", "p50"); l.Low <= 0.3 && l.High >= 0.3 {
					right++
				}
			}
			if failed < times*95/100 {
				t.Errorf("only %d of %d comparisons with what is slower by 30 %% failed", failed, times)
			}
			if right < times*85/100 {
				t.Errorf("only %d of %d intervals have the truth in them", right, times)
			}
			t.Logf("found: %d, right: %d", failed, right)
		})
	}
}

func line(t *testing.T, c report.Comparison, part, metric string) report.Line {
	t.Helper()
	for _, l := range c.Lines {
		if l.Part == part && l.Metric == metric {
			return l
		}
	}
	t.Fatalf("no line %s %s", part, metric)
	return report.Line{}
}

func TestCompareJudges(t *testing.T) {
	steady := tried(1)
	steady.noise = 0.002
	slow, failing := steady, steady
	slow.seed, slow.slower = 500, 0.05
	failing.seed, failing.errors = 700, 0.05
	closed, slowClosed := steady, steady
	closed.closed, slowClosed.closed, slowClosed.seed, slowClosed.slower = true, true, 900, 0.5
	for name, c := range map[string]struct {
		before, after simulation
		metric        string
		verdict       report.Verdict
		failed        bool
	}{
		"slower than chance, but not by much": {steady, slow, "p50", report.Worse, false},
		"faster":                              {slow, steady, "p50", report.Better, false},
		"more errors":                         {steady, failing, "errors", report.Worse, true},
		"fewer errors":                        {failing, steady, "errors", report.Better, false},
		"p90 is for information":              {steady, slow, "p90", report.Untested, false},
		"fewer answers a second":              {closed, slowClosed, "good/s", report.Worse, true},
		"more answers a second":               {slowClosed, closed, "good/s", report.Better, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := line(t, compared(t, c.before.repeated(6), c.after.repeated(6), report.Options{}), "all", c.metric)
			if l.Verdict != c.verdict || l.Failed != c.failed {
				t.Errorf("%+v", l)
			}
		})
	}
	same := line(t, compared(t, steady.repeated(6), steady.repeated(6), report.Options{}), "all", "p50")
	if same.Verdict != report.Same || same.Change != 0 {
		t.Errorf("of a report and itself: %+v", same)
	}
}

// A shape that gets slower is found in a total that hides it.
func TestCompareLooksAtShapes(t *testing.T) {
	before, after := tried(1).repeated(6), tried(500).repeated(6)
	slow := tried(900)
	slow.slower = 1
	for i, r := range slow.repeated(6).Runs {
		after.Runs[i].Shapes[1] = r.Shapes[1]
	}
	c := compared(t, before, after, report.Options{})
	if l := line(t, c, "one", "p50"); !l.Failed {
		t.Errorf("%+v", l)
	}
	for _, part := range []string{"all", "list"} {
		if l := line(t, c, part, "p50"); l.Failed {
			t.Errorf("%+v", l)
		}
	}
}

// A quantile of which there are a handful of requests is not judged.
func TestCompareNeedsAnswers(t *testing.T) {
	rare, slow := tried(1), tried(500)
	rare.rate, slow.rate, slow.slower = 50, 50, 3
	c := compared(t, rare.repeated(6), slow.repeated(6), report.Options{})
	if l := line(t, c, "all", "p99"); l.Verdict != report.Unsure || l.Failed || !math.IsNaN(l.P) {
		t.Errorf("p99 of 100 requests: %+v", l)
	}
	if l := line(t, c, "all", "p50"); !l.Failed {
		t.Errorf("p50 of 100 requests: %+v", l)
	}
}

func TestCompareRefusesDifferentLoads(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*report.Report)
		says   string
	}{
		"seed":     {func(r *report.Report) { r.Runs[0].Seed = 8 }, "seed: 7 and 8"},
		"loop":     {func(r *report.Report) { r.Runs[0].Open = false }, "open loop: true and false"},
		"protocol": {func(r *report.Report) { r.Runs[0].Protocol = "HTTP/2" }, "protocol: HTTP/1.1 and HTTP/2"},
		"rate":     {func(r *report.Report) { r.Runs[0].Phases[0].Phase.To = 300 }, "phases: steady 20 s at 200/s and steady 20 s from 200 to 300/s"},
		"shapes":   {func(r *report.Report) { r.Runs[0].Shapes[0].Name = "write" }, "shapes: read and write"},
		"requests": {func(r *report.Report) { r.Scenario.Digest = "2" }, "the requests are others"},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := plain().repeated(1), plain().repeated(1)
			before.Scenario.Digest, after.Scenario.Digest = "1", "1"
			c.change(&after)
			if _, err := report.Compare(before, after, report.Options{}); !errors.Is(err, report.ErrDifferent) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %q", err, c.says)
			}
			if got := compared(t, before, after, report.Options{AllowDifferent: true}); !strings.Contains(strings.Join(got.Warnings, "\n"), c.says) {
				t.Errorf("warnings: %q; want %q", got.Warnings, c.says)
			}
		})
	}
	if _, err := report.Compare(plain().repeated(1), reportOf(), report.Options{}); err == nil || errors.Is(err, report.ErrDifferent) {
		t.Errorf("without runs: %v", err)
	}
	elsewhere := plain().repeated(1)
	elsewhere.Runs[0].Target = "http://new.example"
	compared(t, plain().repeated(1), elsewhere, report.Options{})
}

func TestCompareWarns(t *testing.T) {
	before, after := plain().repeated(1), plain().repeated(1)
	after.Runs[0].Generator.Bottleneck = "Its cores were busy."
	after.Machine.Cores = 8
	after.Runs[0].Faults = []loadtest.Fault{{Name: "reset"}}
	for _, want := range []string{"bottleneck after", "2 cores, linux/amd64, go1.26.8 before, 8 cores", "0 times before, 1 times after"} {
		if got := strings.Join(compared(t, before, after, report.Options{}).Warnings, "\n"); !strings.Contains(got, want) {
			t.Errorf("warnings: %s\nwant %q", got, want)
		}
	}
	many := tried(1)
	for i := range 10 {
		many.shapes = append(many.shapes, loadtest.Shape{Name: strings.Repeat("x", i+1)})
	}
	if got := compared(t, many.repeated(4), many.repeated(4), report.Options{}).Warnings; len(got) != 1 || !strings.Contains(got[0], "make 6 runs of each") {
		t.Errorf("warnings with four runs and a dozen shapes: %q", got)
	}
}

func TestComparisonIsShown(t *testing.T) {
	slow := tried(500)
	slow.slower, slow.errors = 0.3, 0.05
	after := slow.repeated(5)
	after.Runs[2].Generator.Bottleneck = "Its <cores> were *busy*."
	for _, r := range after.Runs {
		r.Shapes[1].Name = "one | of <b>them</b>"
	}
	before := tried(1).repeated(5)
	for _, r := range before.Runs {
		r.Shapes[1].Name = "one | of <b>them</b>"
	}
	c := compared(t, before, after, report.Options{})
	for name, show := range map[string]func(*bytes.Buffer) error{
		"compare.txt":       func(b *bytes.Buffer) error { return c.Text(b, report.Terminal{}) },
		"compare-color.txt": func(b *bytes.Buffer) error { return c.Text(b, report.Terminal{Width: 100, Color: true}) },
		"compare.md":        func(b *bytes.Buffer) error { return c.Markdown(b) },
		"compare-slices.txt": func(b *bytes.Buffer) error {
			return compared(t, alone(1).repeated(1), alone(2).repeated(2), report.Options{}).Text(b, report.Terminal{})
		},
	} {
		var b bytes.Buffer
		if err := show(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
}
