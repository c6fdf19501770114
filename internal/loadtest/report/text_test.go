package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update rewrites it). Got:\n%s\nwant:\n%s", path, got, want)
	}
}

func text(t *testing.T, r report.Report, terminal report.Terminal) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Text(&b, r, terminal); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// plain is a minute of one kind of request.
func plain() simulation {
	return simulation{seed: 1, rate: 200, duration: 20 * time.Second, intervals: 20, median: 3 * time.Millisecond}
}

// eventful has all that a report can show.
func eventful() simulation {
	return simulation{
		seed: 2, rate: 400, duration: 50 * time.Second, warmUp: 10 * time.Second, intervals: 60, median: 3 * time.Millisecond, drift: 0.1, errors: 0.01,
		shapes: []loadtest.Shape{{Name: "list orders", Group: "acme"}, {Name: "one order", Group: "acme"}, {Name: "insert", Group: "initech"}},
		faults: []loadtest.Fault{{Start: 20 * time.Second, Length: 3 * time.Second, Name: "black-hole replica 2"},
			{Start: 40 * time.Second, Name: "reset all connections"}},
	}
}

func strained() report.Report {
	r := eventful().repeated(1)
	r.Runs[0].Generator.Bottleneck = "Its 2 cores were busy: ask for a lower rate, or use a larger machine."
	r.Runs[0].Generator.Waited = 1234
	return r
}

// searched has a knee alone.
func searched() report.Report {
	r := reportOf()
	r.Knee = knee()
	return r
}

func TestText(t *testing.T) {
	for name, c := range map[string]struct {
		report   report.Report
		terminal report.Terminal
	}{
		"plain.txt":    {plain().repeated(1), report.Terminal{}},
		"eventful.txt": {eventful().repeated(1), report.Terminal{Width: 120}},
		"strained.txt": {strained(), report.Terminal{Width: 64, Color: true}},
		"runs.txt":     {plain().repeated(3), report.Terminal{Width: 80}},
		"closed.txt":   {simulation{seed: 3, rate: 500, duration: 4 * time.Second, intervals: 4, median: time.Millisecond, closed: true}.repeated(1), report.Terminal{Width: 40}},
		"knee.txt":     {searched(), report.Terminal{}},
		"nothing.txt":  {simulation{seed: 4, duration: time.Second, intervals: 1}.repeated(1), report.Terminal{}},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, text(t, c.report, c.terminal)) })
	}
}

// What a server or a scenario says must not reach the terminal as commands, and no line may be wider than it.
func TestTextKeepsToTheTerminal(t *testing.T) {
	r := strained()
	r.Scenario.Name = "evil\x1b[2J\r\nname"
	r.Runs[0].Total.Errors["\x1b]0;title\x07"] = 3
	r.Runs[0].Shapes[0].Name = strings.Repeat("long ", 30)
	r.Runs[0].Target = "http://" + strings.Repeat("long", 30)
	r.Runs[0].Faults[0].Name = strings.Repeat("long ", 30)
	r.Knee = knee()
	for _, width := range []int{40, 60, 80, 100, 200} {
		got := text(t, r, report.Terminal{Width: width})
		if strings.ContainsAny(got, "\x1b\x07\r") {
			t.Errorf("control characters at width %d:\n%q", width, got)
		}
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d characters where there is room for %d: %s", n, width, line)
			}
		}
	}
}
