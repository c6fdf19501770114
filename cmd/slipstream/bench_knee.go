package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// findKnee searches for the highest rate that keeps the objective. The rates of the load's phases are not used.
func (f *benchFlags) findKnee(ctx context.Context, load loadtest.Load, view *liveView, r *report.Report) error {
	slo, err := loadtest.ParseSLO(f.knee.slo)
	if err != nil {
		return usagef("--slo: %w", err)
	}
	bounds := latencyOf(slo)
	if bounds.Percentile == 0 {
		return usagef("--slo %s bounds no latency; write one such as p99=50ms,errors=0.1%%", f.knee.slo)
	}
	options := loadtest.KneeOptions{Step: f.knee.step}
	options.Progress = func(p loadtest.Point) {
		verdict := "holds"
		if !p.Holds {
			verdict = p.Why
		}
		view.say(fmt.Sprintf("%.0f/s: %s, %s", p.Rate, percentiles(p.Row), verdict))
	}
	knee, err := loadtest.FindKnee(ctx, load, slo, options)
	if err != nil {
		return err
	}
	r.Knee = &report.Knee{Objective: objective(slo), Rate: knee.Rate, Bound: knee.Limit}
	for _, p := range knee.Points {
		r.Knee.Points = append(r.Knee.Points, pointOf(p, bounds.Percentile))
	}
	return nil
}

// latencyOf is the first objective of an SLO that bounds a percentile.
func latencyOf(slo loadtest.SLO) loadtest.Objective {
	i := slices.IndexFunc(slo, func(o loadtest.Objective) bool { return o.Percentile > 0 })
	if i < 0 {
		return loadtest.Objective{}
	}
	return slo[i]
}

func objective(slo loadtest.SLO) report.Objective {
	bounds := latencyOf(slo)
	out := report.Objective{Quantile: bounds.Percentile / 100, Limit: bounds.Latency}
	for _, o := range slo {
		if o.Percentile == 0 {
			out.Errors = o.Errors
		}
	}
	return out
}

func pointOf(p loadtest.Point, percentile float64) report.Point {
	at := func(q float64) time.Duration {
		return time.Duration(p.Row.Latency.ValueAtPercentile(q)) * time.Microsecond
	}
	out := report.Point{
		Asked: p.Rate, Achieved: p.Achieved, Latency: at(percentile), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9),
		Max: time.Duration(p.Row.Latency.Max()) * time.Microsecond, OK: p.Holds, Why: p.Why,
	}
	if p.Row.Due > 0 {
		out.Errors = 1 - float64(p.Row.Good)/float64(p.Row.Due)
	}
	return out
}
