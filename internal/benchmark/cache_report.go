package main

import (
	"fmt"
	"time"
)

func milliseconds(d time.Duration) string { return fixed(d.Seconds()*1e3, 2) }

// cacheReport is the section on the cache.
func cacheReport(o options, wrk string, all []hits, m mix, late staleness) report {
	rows := [][]string{{"scenario", "answered by", "requests/s", "p50 ms", "p99 ms", "CPU µs", "of bare"}}
	var targets []target
	for _, h := range all {
		bare := h.cpu(h.sides[0])
		for _, name := range h.sides {
			ratio := h.cpu(name) / bare
			rows = append(rows, h.row(name, ratio))
			if name == "Slipstream" {
				what := fmt.Sprintf("%s: CPU ≤ %.1f × bare", h.scenario.name, mostOfBare)
				targets = append(targets, target{what, fixed(ratio, 2), ratio <= mostOfBare})
			}
		}
	}
	mixed := table([][]string{
		{"95 % reads, 5 % writes", "requests/s", "p50 ms", "p99 ms", "hits of reads"},
		{"with the cache", thousands(m.with.rate), milliseconds(m.with.p50), milliseconds(m.with.p99), fixed(100*m.hits, 1) + " %"},
		{"without", thousands(m.without.rate), milliseconds(m.without.p50), milliseconds(m.without.p99), "–"},
	})
	stale := table([][]string{
		{"stale after a commit by others", "p50 ms", "p99 ms", "max ms", "samples", "other commits/s"},
		{"of the same row", milliseconds(late.p50), milliseconds(late.p99), milliseconds(late.most), fmt.Sprint(late.samples), fmt.Sprint(late.commits)},
	})
	targets = append(targets,
		target{fmt.Sprintf("hits ≥ %.0f %%", 100*leastHits), fixed(100*m.hits, 1) + " %", m.hits >= leastHits},
		target{fmt.Sprintf("staleness p99 ≤ %d ms", mostStaleness.Milliseconds()), milliseconds(late.p99) + " ms", late.p99 <= mostStaleness})
	verdicts, reached := targetsTable(targets)
	text := fmt.Sprintf("Medians of %d rounds of %d s for each side; %s, %d connections.\n\n%s\n%s\n%s\n%s\nThe requests:\n\n",
		o.rounds, o.seconds, wrk, clients, table(rows), mixed, stale, verdicts)
	for _, h := range all {
		text += "- " + h.scenario.name + ": " + h.scenario.describe() + "\n"
	}
	return report{section: "cache", text: text, reached: reached}
}

func (h hits) each(side string, of func(turn) float64) float64 {
	var numbers []float64
	for _, t := range h.turns[side] {
		numbers = append(numbers, of(t))
	}
	return median(numbers)
}

// cpu is the median of microseconds for one request.
func (h hits) cpu(side string) float64 {
	return h.each(side, func(t turn) float64 { return t.cpu.Seconds() * 1e6 })
}

func (h hits) row(side string, ratio float64) []string {
	return []string{
		h.scenario.name, side,
		thousands(h.each(side, func(t turn) float64 { return t.load.rate })),
		fixed(h.each(side, func(t turn) float64 { return t.load.p50.Seconds() * 1e3 }), 2),
		fixed(h.each(side, func(t turn) float64 { return t.load.p99.Seconds() * 1e3 }), 2),
		fixed(h.cpu(side), 1), fixed(ratio, 2),
	}
}
