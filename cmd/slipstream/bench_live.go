package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// liveView shows on a terminal how a load test goes, in lines that are written over each other. Elsewhere it is quiet.
type liveView struct {
	out   io.Writer
	title string // of the step of a stress run, or of the repetition
	lines int    // that are there to be written over
}

// newLiveView returns nil unless out is a terminal.
func newLiveView(out io.Writer) *liveView {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &liveView{out: out}
	}
	return nil
}

// show is a loadtest.Load's Progress.
func (v *liveView) show(p loadtest.Progress) {
	const width = 24
	filled := min(int(width*p.Elapsed/max(p.Whole, 1)), width)
	name := p.Phase.Name
	if v.title != "" {
		name = strings.TrimSpace(v.title + " " + name)
	}
	lines := []string{
		fmt.Sprintf("[%s%s] %s of %s  %s", strings.Repeat("#", filled), strings.Repeat(".", width-filled), seconds(p.Elapsed), seconds(p.Whole), name),
		"rate    " + rates(p),
		"now     " + percentiles(p.Since),
		"so far  " + percentiles(p.Total),
	}
	if errors := errorCounts(p.Total); errors != "" {
		lines = append(lines, "errors  "+errors)
	}
	v.clear()
	for _, line := range lines {
		_, _ = fmt.Fprintf(v.out, "  %s\n", line)
	}
	v.lines = len(lines)
}

// name says what the load is, if there are several.
func (v *liveView) name(title string, several bool) {
	if v != nil && several {
		v.title = title
	}
}

// say has a line stay, above what is shown.
func (v *liveView) say(line string) {
	if v != nil {
		v.clear()
		_, _ = fmt.Fprintf(v.out, "  %s\n", line)
	}
}

// clear takes away what is shown.
func (v *liveView) clear() {
	if v != nil && v.lines > 0 {
		_, _ = fmt.Fprintf(v.out, "\033[%dA\033[J", v.lines)
		v.lines = 0
	}
}

func rates(p loadtest.Progress) string {
	text := fmt.Sprintf("%.0f/s", p.Achieved)
	if p.Offered > 0 {
		text += fmt.Sprintf(" of %.0f/s that are asked for", p.Offered)
	}
	text += fmt.Sprintf("   %d in flight", p.InFlight)
	if p.Behind >= 10*time.Millisecond {
		text += "   " + seconds(p.Behind) + " behind"
	}
	return text
}

func percentiles(r loadtest.Row) string {
	if r.Latency == nil || r.Latency.TotalCount() == 0 {
		return "no answers"
	}
	var parts []string
	for _, q := range []float64{50, 90, 99, 99.9} {
		parts = append(parts, fmt.Sprintf("p%g %s", q, milliseconds(r.Latency.ValueAtPercentile(q))))
	}
	return strings.Join(append(parts, "max "+milliseconds(r.Latency.Max())), "  ")
}

func errorCounts(r loadtest.Row) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		parts = append(parts, fmt.Sprintf("%s: %d", kind, r.Errors[kind]))
	}
	return strings.Join(parts, ", ")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// milliseconds writes microseconds with three digits.
func milliseconds(us int64) string {
	ms := float64(us) / 1000
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}
