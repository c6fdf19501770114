package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// run is everything that a measurement needs.
type run struct {
	options
	bed      *bed
	server   *server
	pgbench  pgbench
	wrk      wrk
	progress io.Writer
}

// round is one turn of both sides.
type round struct {
	pgbench float64 // transactions per second
	bare    float64 // without the settings; 0 where the rows depend on them
	load    load
	steady  load // at half of load's rate, when requests are due
	// What Slipstream used for one request.
	cpu            time.Duration
	objects, bytes float64
}

func (r round) ratio() float64 { return r.load.rate / r.pgbench }

func (r round) bareRatio() float64 { return r.load.rate / r.bare }

// result is what was measured of a scenario.
type result struct {
	scenario scenario
	script   pgbenchScript
	bare     pgbenchScript // of the statement alone; empty where the rows depend on the settings
	rounds   []round
	rss      int64 // Slipstream's at the end, in bytes
}

// warmup is how long each side runs before the first round, in seconds.
const warmup = 2

// measure runs a scenario: all sides in turn, so that what else happens on the machine meets both.
func (r *run) measure(ctx context.Context, sc scenario, ref reference, keys keyRange) (result, error) {
	res := result{scenario: sc}
	var err error
	if res.script, err = ref.script(keys); err != nil {
		return res, err
	}
	if !sc.asCustomer {
		if res.bare, err = ref.bare().script(keys); err != nil {
			return res, err
		}
	}
	if sc.writes() {
		if err := r.bed.emptyWrites(ctx); err != nil {
			return res, err
		}
	}
	if err := r.warmUp(ctx, res, keys); err != nil {
		return res, err
	}
	for i := range r.rounds {
		one, err := r.round(ctx, res, keys, i+1)
		if err != nil {
			return res, fmt.Errorf("%s: %w", sc.name, err)
		}
		fmt.Fprintf(r.progress, "%-24s round %d of %d: pgbench %6.0f/s, Slipstream %6.0f/s, ratio %.2f\n",
			sc.name, i+1, r.rounds, one.pgbench, one.load.rate, one.ratio())
		res.rounds = append(res.rounds, one)
	}
	res.rss, err = r.server.rss()
	return res, err
}

func (r *run) warmUp(ctx context.Context, res result, keys keyRange) error {
	seconds := min(warmup, r.seconds)
	if _, err := r.pgbench.rate(ctx, res.script, seconds); err != nil {
		return err
	}
	_, err := r.wrk.run(ctx, r.server, res.scenario, keys, seconds, 0)
	return err
}

func (r *run) round(ctx context.Context, res result, keys keyRange, seed int) (one round, err error) {
	if one.pgbench, err = r.pgbench.rate(ctx, res.script, r.seconds); err != nil {
		return one, err
	}
	if res.bare.text != "" {
		if one.bare, err = r.pgbench.rate(ctx, res.bare, r.seconds); err != nil {
			return one, err
		}
	}
	before, err := r.server.usage(ctx)
	if err != nil {
		return one, err
	}
	if one.load, err = r.wrk.run(ctx, r.server, res.scenario, keys, r.seconds, seed); err != nil {
		return one, err
	}
	after, err := r.server.usage(ctx)
	n := float64(one.load.requests)
	one.cpu = time.Duration(float64(after.cpu-before.cpu) / n)
	one.objects, one.bytes = (after.objects-before.objects)/n, (after.bytes-before.bytes)/n
	if err != nil {
		return one, err
	}
	one.steady, err = r.steady(ctx, res.scenario, keys, one.load.rate, seed)
	return one, err
}

// all verifies and measures the scenarios one after the other.
func (r *run) all(ctx context.Context) ([]result, error) {
	var results []result
	for _, sc := range r.scenarios {
		ref, keys, err := r.prepare(ctx, sc)
		if err != nil {
			return nil, err
		}
		if err := r.verify(ctx, sc, ref, keys); err != nil {
			return nil, fmt.Errorf("compare both sides: %w", err)
		}
		res, err := r.measure(ctx, sc, ref, keys)
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
	return results, nil
}

// prepare finds out what pgbench has to run, and with which keys.
func (r *run) prepare(ctx context.Context, sc scenario) (ref reference, keys keyRange, err error) {
	if ref, err = newReference(r.bed.schema, sc); err != nil {
		return ref, keys, err
	}
	keys, err = r.bed.keys(ctx, sc)
	return ref, keys, err
}
