package main

import "fmt"

// loadReport is the section on the load generator.
func loadReport(r *loadRun, wrk string, g generators) report {
	rows := [][]string{{"server", "sent by", "requests/s", "of wrk's", "CPU µs", "p50 ms", "p99 ms", "open loop/s"}}
	best := 0.0
	for _, s := range g.servers {
		theirs := medianOf(g.wrk[s], func(x generated) float64 { return x.rate })
		ours := medianOf(g.ours[s], func(x generated) float64 { return x.rate })
		best = max(best, ours)
		rows = append(rows,
			generatedRow(s, wrk, g.wrk[s], "1.00", "–"),
			generatedRow(s, "slipstream bench", g.ours[s], fixed(ours/theirs, 2), thousands(g.open[s])))
	}
	told := [][]string{{"percentile", "the server says", "Own", "Latency"}}
	for i, name := range []string{"p50", "p99"} {
		told = append(told, []string{
			name, milliseconds(g.told.truth[i]) + " ms", milliseconds(g.told.own[i]) + " ms", milliseconds(g.told.latency[i]) + " ms",
		})
	}
	off, growth := g.told.off(), g.late-g.early
	verdicts, reached := targetsTable([]target{
		{fmt.Sprintf("requests/s on one core ≥ %s", thousands(leastSent)), thousands(best), best >= leastSent},
		{fmt.Sprintf("p50 and p99 within %.0f %% of the truth", 100*mostInaccuracy), fixed(100*off, 2) + " %", off <= mostInaccuracy},
		{
			fmt.Sprintf("RSS from %v to %v grows by ≤ %s MB", 2*r.length, 12*r.length, megabytes(mostGrowthOfRSS)),
			fmt.Sprintf("%s MB to %s MB", megabytes(g.early), megabytes(g.late)), growth <= mostGrowthOfRSS,
		},
	})
	text := fmt.Sprintf("Medians of %d rounds of %v for each side; %d connections, one core for each generator.\n\n%s\n%s\n%s",
		r.rounds, r.length, clients, table(rows), table(told), verdicts)
	return report{section: "load", text: text, reached: reached}
}

func generatedRow(server, by string, rounds []generated, ratio, open string) []string {
	return []string{
		server, by, thousands(medianOf(rounds, func(x generated) float64 { return x.rate })), ratio,
		fixed(medianOf(rounds, func(x generated) float64 { return x.cpu.Seconds() * 1e6 }), 1),
		fixed(medianOf(rounds, func(x generated) float64 { return x.p50.Seconds() * 1e3 }), 2),
		fixed(medianOf(rounds, func(x generated) float64 { return x.p99.Seconds() * 1e3 }), 2),
		open,
	}
}

func medianOf(rounds []generated, of func(generated) float64) float64 {
	var numbers []float64
	for _, r := range rounds {
		numbers = append(numbers, of(r))
	}
	return median(numbers)
}
