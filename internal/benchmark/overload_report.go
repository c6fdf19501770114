package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/slipstream-go/slipstream/internal/loadtest/tiers"
)

// What protection must reach while three times as much is asked for as the database can do.
const (
	leastGoodput     = 0.9 // of the peak
	mostCriticalRise = 2.0 // of the p99 in normal times
	mostRefusal      = 5 * time.Millisecond
	mostDisorder     = 0.01
	mostRecovery     = 2 * time.Second
)

// overloadReport is the section on overload.
func overloadReport(sides []overloaded) report {
	var b strings.Builder
	fmt.Fprintf(&b, "%d connections to the database, %v of overload; a client gives up after 2 s.\n", overloadPool, sides[0].lasted())
	for _, s := range sides {
		fmt.Fprintf(&b, "\n**%s**: %s\n\n%s", s.name(), s.sentence(), table(s.rows()))
	}
	verdicts, reached := targetsTable(sides[0].targets())
	fmt.Fprintf(&b, "\nWith protection:\n\n%s", verdicts)
	return report{section: "overload", text: b.String(), reached: reached}
}

// lasted is how long the overload was.
func (o overloaded) lasted() time.Duration { return o.load.Phases[overloadPhase].Duration }

// sentence is about all tiers.
func (o overloaded) sentence() string {
	peak, held := o.tally.Goodput(peakPhase), o.tally.Goodput(overloadPhase)
	text := fmt.Sprintf("%s/s at the peak, %s/s in the overload (%s %%); %s.", thousands(peak), thousands(held), fixed(100*held/peak, 0), o.recovered())
	if kinds := o.lost(); kinds != "" {
		text += " Lost: " + kinds + "."
	}
	return text
}

// lost says in which ways requests of the overload were neither answered nor refused.
func (o overloaded) lost() string {
	var kinds []string
	errors := o.result.Phases[overloadPhase].Errors
	for _, kind := range slices.Sorted(maps.Keys(errors)) {
		if kind != "status 503" {
			kinds = append(kinds, fmt.Sprintf("%s %s", thousands(float64(errors[kind])), kind))
		}
	}
	return strings.Join(kinds, ", ")
}

// recovery is how long it took after the overload until answers were right, and took at most twice as long as in normal times (p99).
func (o overloaded) recovery() (time.Duration, bool) {
	return o.tally.Recovery(afterPhase, 2*tiers.Quantile(o.tally.All(normalPhase).Right, 0.99))
}

func (o overloaded) recovered() string {
	after, ok := o.recovery()
	if !ok {
		return "not normal again until the end"
	}
	return "normal again after " + fixed(after.Seconds(), 1) + " s"
}

// rows are what each tier got in the overload, beside normal times.
func (o overloaded) rows() [][]string {
	rows := [][]string{{"tier", "asked/s", "right/s", "right", "p50 ms", "p99 ms", "normal p50 ms", "normal p99 ms", "refused/s", "refused p99 ms", "lost/s"}}
	rate := func(n int64) string { return thousands(float64(n) / o.lasted().Seconds()) }
	row := func(name string, over, normal tiers.Count) {
		rows = append(rows, []string{
			name, rate(int64(over.Sent)), rate(over.Right.TotalCount()), fixed(100*over.Share(), 1) + " %",
			latencyCell(over.Right, 0.5), latencyCell(over.Right, 0.99), latencyCell(normal.Right, 0.5), latencyCell(normal.Right, 0.99),
			rate(over.Refused.TotalCount()), latencyCell(over.Refused, 0.99), rate(int64(over.Lost)),
		})
	}
	for i, name := range o.tally.Tiers {
		row(name, o.tally.Of(overloadPhase, i), o.tally.Of(normalPhase, i))
	}
	row("all", o.tally.All(overloadPhase), o.tally.All(normalPhase))
	return rows
}

// latencyCell says nothing where nothing was counted.
func latencyCell(h *hdrhistogram.Histogram, q float64) string {
	if h.TotalCount() == 0 {
		return "–"
	}
	return milliseconds(tiers.Quantile(h, q))
}

func (o overloaded) targets() []target {
	t := o.tally
	share := t.Goodput(overloadPhase) / t.Goodput(peakPhase)
	critical, calm := tiers.Quantile(t.Of(overloadPhase, 0).Right, 0.99), tiers.Quantile(t.Of(normalPhase, 0).Right, 0.99)
	refusals := t.All(overloadPhase).Refused
	refused := tiers.Quantile(refusals, 0.99)
	disorder := t.Disorder(overloadPhase)
	after, recovered := o.recovery()
	return []target{
		{fmt.Sprintf("goodput ≥ %.0f %% of the peak", 100*leastGoodput), fixed(100*share, 1) + " %", share >= leastGoodput},
		{
			fmt.Sprintf("p99 of the critical tier < %.0f × its p99 in normal times", mostCriticalRise),
			fmt.Sprintf("%s ms, %s ×", milliseconds(critical), fixed(critical.Seconds()/calm.Seconds(), 2)), critical.Seconds() < mostCriticalRise*calm.Seconds(),
		},
		{fmt.Sprintf("p99 of refusals < %v", mostRefusal), fmt.Sprintf("%s ms (p50 %s)", milliseconds(refused), milliseconds(tiers.Quantile(refusals, 0.5))), refused < mostRefusal},
		{
			fmt.Sprintf("no tier is answered more rarely than a less important one, by more than %.0f %%", 100*mostDisorder),
			fixed(100*disorder, 1) + " %", disorder <= mostDisorder,
		},
		{fmt.Sprintf("normal again ≤ %v after the overload", mostRecovery), o.recovered(), recovered && after <= mostRecovery},
	}
}
