package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/tiers"
)

// testOverload runs all of it, in a hurry. What it measures is of no interest here.
func testOverload(t *testing.T, o options, b *bed) {
	o.hurry, o.out = true, filepath.Join(t.TempDir(), "benchmarks.md")
	var progress bytes.Buffer
	r, err := measureOverload(t.Context(), o, b, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, want := range []string{"**protection on**: ", "**protection off**: ", "| critical ", "| background ", "| p99 of refusals "} {
		if !strings.Contains(r.text, want) {
			t.Errorf("%q is missing in\n%s", want, r.text)
		}
	}
	picture, err := os.ReadFile(filepath.Join(filepath.Dir(o.out), "overload.svg"))
	if err != nil || !bytes.Contains(picture, []byte(">protection off</text>")) {
		t.Errorf("the picture: %v\n%s", err, picture)
	}
	t.Log(r.text)
}

// outcomes are those of an overload that all went well in, but for what change does.
func outcomes(t *testing.T, change func(phase int, group string, i int, o *loadtest.Outcome)) overloaded {
	t.Helper()
	l, err := overloadLoad(options{hurry: true})
	if err != nil {
		t.Fatal(err)
	}
	count := tiers.New(l)
	for phase := range l.Phases {
		for shape, s := range l.Source.Shapes() {
			for i := range 95 {
				due := time.Duration(phase)*time.Second + time.Duration(i)*10*time.Millisecond
				o := loadtest.Outcome{Shape: shape, Due: due, Sent: due, Done: due + 20*time.Millisecond}
				change(phase, s.Group, i, &o)
				count.Add(o)
			}
		}
	}
	return overloaded{protected: true, load: l, tally: count, result: &loadtest.Result{Phases: make([]loadtest.PhaseRow, len(l.Phases))}}
}

func TestOverloadReportTellsWhatIsMissed(t *testing.T) {
	refuse := func(o *loadtest.Outcome, after time.Duration) { o.Problem, o.Done = "status 503", o.Due+after }
	for name, c := range map[string]struct {
		change func(phase int, group string, i int, o *loadtest.Outcome)
		missed string
	}{
		"all well": {func(phase int, group string, i int, o *loadtest.Outcome) {
			if phase == overloadPhase && group == "background" && i < 30 {
				refuse(o, time.Millisecond)
			}
		}, ""},
		"goodput": {func(phase int, group string, _ int, o *loadtest.Outcome) {
			if phase == overloadPhase && group == "background" {
				refuse(o, time.Millisecond)
			}
		}, "75.0 %"},
		"critical": {func(phase int, group string, _ int, o *loadtest.Outcome) {
			if phase == overloadPhase && group == "critical" {
				o.Done = o.Due + 50*time.Millisecond
			}
		}, "2.50 ×"},
		"refusals": {func(phase int, group string, i int, o *loadtest.Outcome) {
			if phase == overloadPhase && group == "background" && i < 10 {
				refuse(o, 7*time.Millisecond)
			}
		}, "7.00 ms"},
		"order": {func(phase int, group string, i int, o *loadtest.Outcome) {
			if phase == overloadPhase && group == "default" && i < 10 {
				refuse(o, time.Millisecond)
			}
		}, "10.5 %"},
		"never normal": {func(phase int, _ string, _ int, o *loadtest.Outcome) {
			if phase == afterPhase {
				o.Problem = "timeout"
			}
		}, "not normal again until the end"},
	} {
		r := overloadReport([]overloaded{outcomes(t, c.change)})
		missed := ""
		for line := range strings.Lines(r.text) {
			if strings.Contains(line, "MISSED") {
				missed += line
			}
		}
		if r.reached != (c.missed == "") || !strings.Contains(missed, c.missed) || strings.Count(missed, "\n") > 1 {
			t.Errorf("%s: reached %v, missed %q, want %q", name, r.reached, missed, c.missed)
		}
	}
}
