package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What protection must reach while three times as much is asked for as the database can do.
const (
	leastGoodput     = 0.9 // of the peak
	mostCriticalRise = 2.0 // of the p99 in normal times
	mostRefusal      = 5 * time.Millisecond
	mostRecovery     = 2 * time.Second
)

// overloadReport is the section on overload.
func overloadReport(sides []overloaded) report {
	var b strings.Builder
	fmt.Fprintf(&b, "%d connections to the database, %v of overload; a client gives up after 2 s.\n", overloadPool, sides[0].tally.phases[overloadPhase].Duration)
	for _, s := range sides {
		fmt.Fprintf(&b, "\n**%s**: %s\n\n%s", s.name(), s.tally.sentence(), table(s.tally.rows()))
	}
	verdicts, reached := targetsTable(sides[0].tally.targets())
	fmt.Fprintf(&b, "\nWith protection:\n\n%s", verdicts)
	return report{section: "overload", text: b.String(), reached: reached}
}

// sentence is about all tiers.
func (t *tally) sentence() string {
	peak, held := t.goodput(peakPhase), t.goodput(overloadPhase)
	return fmt.Sprintf("%s/s at the peak, %s/s in the overload (%s %%); %s.", thousands(peak), thousands(held), fixed(100*held/peak, 0), t.recovered())
}

func (t *tally) recovered() string {
	after, ok := t.recovery()
	if !ok {
		return "not normal again until the end"
	}
	return "normal again after " + fixed(after.Seconds(), 1) + " s"
}

// rows are what each tier got in the overload, beside normal times.
func (t *tally) rows() [][]string {
	rows := [][]string{{"tier", "asked/s", "right/s", "right", "p50 ms", "p99 ms", "normal p50 ms", "normal p99 ms", "refused/s", "refused p99 ms", "lost/s"}}
	seconds := t.phases[overloadPhase].Duration.Seconds()
	row := func(name string, o, n tier) {
		rows = append(rows, []string{
			name, thousands(float64(o.sent) / seconds), thousands(float64(o.right.TotalCount()) / seconds), fixed(100*o.share(), 1) + " %",
			latencyCell(o.right, 0.5), latencyCell(o.right, 0.99), latencyCell(n.right, 0.5), latencyCell(n.right, 0.99),
			thousands(float64(o.refused.TotalCount()) / seconds), latencyCell(o.refused, 0.99), thousands(float64(o.lost) / seconds),
		})
	}
	for i, name := range t.groups {
		row(name, t.tiers[overloadPhase][i], t.tiers[normalPhase][i])
	}
	row("all", t.all(overloadPhase), t.all(normalPhase))
	return rows
}

func (t *tally) targets() []target {
	share := t.goodput(overloadPhase) / t.goodput(peakPhase)
	critical, calm := quantile(t.tiers[overloadPhase][0].right, 0.99), quantile(t.tiers[normalPhase][0].right, 0.99)
	refused := quantile(t.all(overloadPhase).refused, 0.99)
	after, recovered := t.recovery()
	order := "they are"
	if !t.inOrder(overloadPhase) {
		order = "they are not"
	}
	return []target{
		{fmt.Sprintf("goodput ≥ %.0f %% of the peak", 100*leastGoodput), fixed(100*share, 1) + " %", share >= leastGoodput},
		{
			fmt.Sprintf("p99 of the critical tier < %.0f × its p99 in normal times", mostCriticalRise),
			fmt.Sprintf("%s ms, %s ×", milliseconds(critical), fixed(critical.Seconds()/calm.Seconds(), 2)), critical.Seconds() < mostCriticalRise*calm.Seconds(),
		},
		{fmt.Sprintf("p99 of refusals < %v", mostRefusal), milliseconds(refused) + " ms", refused < mostRefusal},
		{"tiers are shed in their order", order, t.inOrder(overloadPhase)},
		{fmt.Sprintf("normal again ≤ %v after the overload", mostRecovery), t.recovered(), recovered && after <= mostRecovery},
	}
}

// latencyCell says nothing where nothing was counted.
func latencyCell(h *hdrhistogram.Histogram, q float64) string {
	if h.TotalCount() == 0 {
		return "–"
	}
	return milliseconds(quantile(h, q))
}
