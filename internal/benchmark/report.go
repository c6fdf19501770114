package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What must be reached (docs/benchmarks.md).
const (
	leastRatio   = 0.25
	mostRSS      = 120e6
	mostGrowth   = 64e6
	targetOfRate = "point read"
)

// report is one section of docs/benchmarks.md.
type report struct {
	section string
	text    string
	reached bool // all targets
}

// target is a line of what must be reached.
type target struct {
	what, measured string
	reached        bool
}

// targetsTable also tells whether all are reached.
func targetsTable(targets []target) (string, bool) {
	rows := [][]string{{"target", "measured", "verdict"}}
	all := true
	for _, t := range targets {
		verdict := "reached"
		if !t.reached {
			verdict, all = "**MISSED**", false
		}
		rows = append(rows, []string{t.what, t.measured, verdict})
	}
	return table(rows), all
}

// ratesReport is the side by side with pgbench. rss is the server's after the run.
func ratesReport(o options, wrk string, results []result, rss int64) report {
	rows := [][]string{{"scenario", "pgbench/s", "Slipstream/s", "ratio", "min–max", "bare/s", "of bare", "p50 ms", "p99 ms",
		"p50 ms at half", "p99 ms at half", "CPU µs", "allocations", "bytes", "RSS MB"}}
	var targets []target
	for _, res := range results {
		rows = append(rows, res.row())
		if res.scenario.name == targetOfRate {
			ratio := res.median(round.ratio)
			targets = append(targets, target{"point read: ratio ≥ " + fixed(leastRatio, 2), fixed(ratio, 3), ratio >= leastRatio})
		}
	}
	targets = append(targets, target{
		fmt.Sprintf("RSS %.0f s after the run < %.0f MB", o.settle.Seconds(), mostRSS/1e6), megabytes(rss) + " MB", rss < mostRSS,
	})
	verdicts, reached := targetsTable(targets)
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds of %d s for each side; %s. \"At half\" is at half that rate with `slipstream bench`: requests are sent when they are due, and latency counts from then.\n\n%s\n%s\n", o.rounds, o.seconds, wrk, table(rows), verdicts)
	b.WriteString("The requests, `{key}` being another number each time:\n\n")
	for _, res := range results {
		b.WriteString("- " + res.scenario.name + ": " + res.scenario.describe() + "\n")
	}
	fmt.Fprintf(&b, "\nWhat pgbench runs for the last one:\n\n```\n%s```\n", results[len(results)-1].script.describe())
	return report{section: "rates", text: b.String(), reached: reached}
}

func (s scenario) describe() string {
	text := "`" + s.verb() + " " + s.path + "`"
	if body := s.body; body != "" {
		if len(body) > 200 {
			body = body[:strings.Index(body, "}")+1] + " …]"
		}
		text += " with `" + body + "`"
	}
	if s.prefer != "" {
		text += " with `Prefer: " + s.prefer + "`"
	}
	for _, name := range slices.Sorted(maps.Keys(s.more)) {
		text += " with `" + name + ": " + s.more.Get(name) + "`"
	}
	if s.asCustomer {
		text += fmt.Sprintf(" with the token of one of %d customers", customers)
	}
	return text
}

// describe is the script with its variables.
func (s pgbenchScript) describe() string {
	text := s.text
	for i, value := range s.constants {
		text += fmt.Sprintf("-- :v%d is %s\n", i+1, value)
	}
	return text
}

// median of something of the rounds.
func (res result) median(of func(round) float64) float64 { return median(res.each(of)) }

func (res result) each(of func(round) float64) []float64 {
	var numbers []float64
	for _, r := range res.rounds {
		numbers = append(numbers, of(r))
	}
	return numbers
}

func (res result) row() []string {
	ratios := res.each(round.ratio)
	bare, ofBare := "–", "–"
	if res.rounds[0].bare > 0 {
		bare = thousands(res.median(func(r round) float64 { return r.bare }))
		ofBare = fixed(res.median(round.bareRatio), 3)
	}
	return []string{
		res.scenario.name,
		thousands(res.median(func(r round) float64 { return r.pgbench })),
		thousands(res.median(func(r round) float64 { return r.load.rate })),
		fixed(median(ratios), 3),
		fixed(slices.Min(ratios), 2) + "–" + fixed(slices.Max(ratios), 2),
		bare, ofBare,
		fixed(res.median(func(r round) float64 { return r.load.p50.Seconds() * 1e3 }), 2),
		fixed(res.median(func(r round) float64 { return r.load.p99.Seconds() * 1e3 }), 2),
		fixed(res.median(func(r round) float64 { return r.steady.p50.Seconds() * 1e3 }), 2),
		fixed(res.median(func(r round) float64 { return r.steady.p99.Seconds() * 1e3 }), 2),
		fixed(res.median(func(r round) float64 { return r.cpu.Seconds() * 1e6 }), 1),
		fixed(res.median(func(r round) float64 { return r.objects }), 1),
		thousands(res.median(func(r round) float64 { return r.bytes })),
		megabytes(res.rss),
	}
}
