package report

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// together adds up repetitions of one load, of which there is at least one. Its series, faults and times are those of the first.
func together(runs []*loadtest.Result) *loadtest.Result {
	if len(runs) == 1 {
		return runs[0]
	}
	sum := *runs[0]
	sum.Generator.Bottleneck = ""
	sum.Shapes, sum.Groups = alongside(runs, shapesOf), alongside(runs, groupsOf)
	sum.Phases = nil
	for i, phase := range runs[0].Phases {
		for _, r := range runs[1:] {
			if i < len(r.Phases) {
				phase.Row = added(phase.Row, r.Phases[i].Row)
				phase.Took += r.Phases[i].Took
			}
		}
		sum.Phases = append(sum.Phases, phase)
	}
	for _, r := range runs[1:] {
		sum.Total = added(sum.Total, r.Total)
		sum.Generator = addedGenerator(sum.Generator, r.Generator)
	}
	for i, r := range runs {
		if r.Generator.Bottleneck != "" {
			sum.Generator.Bottleneck = fmt.Sprintf("Run %d: %s", i+1, r.Generator.Bottleneck)
			break
		}
	}
	return &sum
}

func shapesOf(r *loadtest.Result) []loadtest.Row { return r.Shapes }
func groupsOf(r *loadtest.Result) []loadtest.Row { return r.Groups }

// alongside adds up rows of the same name, in the order of the first run.
func alongside(runs []*loadtest.Result, rows func(*loadtest.Result) []loadtest.Row) []loadtest.Row {
	var sums []loadtest.Row
	for _, row := range rows(runs[0]) {
		for _, r := range runs[1:] {
			if other, ok := named(rows(r), row.Name); ok {
				row = added(row, other)
			}
		}
		sums = append(sums, row)
	}
	return sums
}

func named(rows []loadtest.Row, name string) (loadtest.Row, bool) {
	for _, row := range rows {
		if row.Name == name {
			return row, true
		}
	}
	return loadtest.Row{}, false
}

// added leaves its arguments as they are.
func added(a, b loadtest.Row) loadtest.Row {
	errors := map[string]uint64{}
	for _, row := range []loadtest.Row{a, b} {
		for kind, n := range row.Errors {
			errors[kind] += n
		}
	}
	return loadtest.Row{
		Name: a.Name, Due: a.Due + b.Due, Sent: a.Sent + b.Sent, Good: a.Good + b.Good, Errors: errors,
		Latency: merged(a.Latency, b.Latency), Own: merged(a.Own, b.Own), BytesIn: a.BytesIn + b.BytesIn, BytesOut: a.BytesOut + b.BytesOut,
	}
}

func addedGenerator(a, b loadtest.Generator) loadtest.Generator {
	a.Late = merged(a.Late, b.Late)
	a.Waited += b.Waited
	a.Connections = max(a.Connections, b.Connections)
	a.Opened += b.Opened
	a.CPU += b.CPU
	return a
}

func merged(a, b *hdrhistogram.Histogram) *hdrhistogram.Histogram {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	sum := a.Clone()
	sum.Merge(b)
	return sum
}

// measured is the time that the totals are of: all phases but warm-ups.
func measured(r *loadtest.Result) time.Duration {
	var d time.Duration
	for _, p := range r.Phases {
		if !p.Phase.WarmUp {
			d += p.Took
		}
	}
	return d
}

func errorsOf(r loadtest.Row) (n uint64) {
	for _, k := range r.Errors {
		n += k
	}
	return n
}

// errorShare is of all that was answered or given up, from 0 to 1; NaN if that is nothing.
func errorShare(r loadtest.Row) float64 {
	n := errorsOf(r)
	return float64(n) / float64(n+r.Good)
}
