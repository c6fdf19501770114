package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
)

// crowd is how many connections insert at a time.
const crowd = 128

// leastGain is how many times the rate of single transactions inserts must have that share them.
const leastGain = 2

// measureInserts compares inserts of single rows that may share transactions with others that may not: two servers on the
// same database take turns.
func measureInserts(ctx context.Context, o options, b *bed, progress io.Writer) (report, error) {
	dir, err := os.MkdirTemp("", "slipstream-benchmark-")
	if err != nil {
		return report{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	load, err := newWrk(dir)
	if err != nil {
		return report{}, err
	}
	load.clients = crowd
	var servers [2]*server
	for i, grouped := range []string{"false", "true"} {
		if servers[i], err = startServer(ctx, o.program, b, shop.Schema, "--db-group-inserts="+grouped); err != nil {
			return report{}, err
		}
		defer servers[i].stop()
	}
	sc := writeScenarios()[0]
	keys, err := b.keys(ctx, sc)
	if err != nil {
		return report{}, err
	}
	var rates [2][]float64
	var gains []float64
	for round := range o.rounds + 1 { // the first is to warm up
		if err := b.emptyWrites(ctx); err != nil {
			return report{}, err
		}
		var now [2]float64
		for i, s := range servers {
			l, err := load.run(ctx, s, sc, keys, o.seconds, round)
			if err != nil {
				return report{}, err
			}
			now[i] = l.rate
		}
		if round == 0 {
			continue
		}
		fmt.Fprintf(progress, "round %d of %d: alone %6.0f/s, shared %6.0f/s, ratio %.2f\n", round, o.rounds, now[0], now[1], now[1]/now[0])
		rates[0], rates[1], gains = append(rates[0], now[0]), append(rates[1], now[1]), append(gains, now[1]/now[0])
	}
	var fsync string
	if err := b.query(ctx, "select current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit')", nil, &fsync); err != nil {
		return report{}, err
	}
	return insertsReport(o, fsync, rates, gains), nil
}

func insertsReport(o options, fsync string, rates [2][]float64, gains []float64) report {
	gain := median(gains)
	rows := [][]string{
		{"inserts of single rows", "rows/s"},
		{"each in a transaction of its own", thousands(median(rates[0]))},
		{"sharing transactions", thousands(median(rates[1]))},
	}
	verdicts, reached := targetsTable([]target{{
		fmt.Sprintf("ratio ≥ %d", leastGain), fixed(gain, 2), gain >= leastGain,
	}})
	text := fmt.Sprintf("Medians of %d rounds of %d s for each side; %d connections, fsync %s.\n\n%s\n%s",
		o.rounds, o.seconds, crowd, fsync, table(rows), verdicts)
	return report{section: "inserts", text: text, reached: reached}
}
