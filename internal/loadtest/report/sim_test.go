package report_test

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// simulation is a load test that nobody has run: latencies are drawn from a log-normal distribution, with a hump of slow ones.
type simulation struct {
	seed      uint64
	rate      float64       // requests a second
	duration  time.Duration // after the warm-up
	warmUp    time.Duration
	intervals int
	median    time.Duration
	slower    float64 // by how much everything takes longer, 0.3 for 30 %
	noise     float64 // how much runs differ from each other: the standard deviation of the logarithm
	drift     float64 // the same for seconds of one run
	errors    float64 // share
	closed    bool
	shapes    []loadtest.Shape // default: one
	faults    []loadtest.Fault // requests due meanwhile wait until it is over
}

func (s simulation) run() *loadtest.Result {
	random := rand.New(rand.NewPCG(s.seed, 0))
	if s.shapes == nil {
		s.shapes = []loadtest.Shape{{Name: "read"}}
	}
	r := s.silent()
	scale := float64(s.median.Microseconds()) * (1 + s.slower) * math.Exp(s.noise*random.NormFloat64())
	if s.closed {
		s.rate *= float64(s.median.Microseconds()) / scale
	}
	drift := 0.0
	for i := range int(s.rate * r.Took.Seconds()) {
		if i%max(1, int(s.rate)) == 0 {
			drift = s.drift * random.NormFloat64()
		}
		own := scale * math.Exp(drift+0.4*random.NormFloat64())
		if random.Float64() < 0.02 {
			own *= 8
		}
		due := time.Duration(float64(i) / s.rate * float64(time.Second))
		s.answer(r, i%len(s.shapes), due, int64(own), random)
	}
	late := hdrhistogram.New(1, 60_000_000, 3)
	for range 100 {
		_ = late.RecordValue(10 + random.Int64N(90))
	}
	r.Generator = loadtest.Generator{Late: late, Connections: 12, Opened: 14, CPU: r.Took / 2, Cores: 2}
	return r
}

// silent is a run in which nothing was sent.
func (s simulation) silent() *loadtest.Result {
	r := &loadtest.Result{
		Target: "http://127.0.0.1:3000", Protocol: "HTTP/1.1", Open: !s.closed, Seed: 7, Took: s.warmUp + s.duration,
		Started: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Total: newRow(""), Faults: s.faults,
	}
	groups := map[string]bool{"": true}
	for _, shape := range s.shapes {
		r.Shapes = append(r.Shapes, newRow(shape.Name))
		if !groups[shape.Group] {
			groups[shape.Group] = true
			r.Groups = append(r.Groups, newRow(shape.Group))
		}
	}
	offered := s.rate
	if s.closed {
		offered = 0
	}
	if s.warmUp > 0 {
		r.Phases = append(r.Phases, loadtest.PhaseRow{Row: newRow("warm-up"), Took: s.warmUp,
			Phase: loadtest.Phase{Name: "warm-up", Duration: s.warmUp, From: offered, To: offered, WarmUp: true}})
	}
	r.Phases = append(r.Phases, loadtest.PhaseRow{Row: newRow("steady"), Start: s.warmUp, Took: s.duration,
		Phase: loadtest.Phase{Name: "steady", Duration: s.duration, From: offered, To: offered}})
	length := r.Took / time.Duration(s.intervals)
	for i := range s.intervals {
		r.Series = append(r.Series, loadtest.Interval{Start: time.Duration(i) * length, Length: length, Offered: offered,
			Latency: hdrhistogram.New(1, 60_000_000, 2)})
	}
	return r
}

// answer counts one that took own microseconds from when it could be sent.
func (s simulation) answer(r *loadtest.Result, shape int, due time.Duration, own int64, random *rand.Rand) {
	latency := own
	for _, f := range s.faults {
		if due >= f.Start && due < f.Start+f.Length {
			latency += (f.Start + f.Length - due).Microseconds()
		}
	}
	rows := []*loadtest.Row{&r.Total, &r.Shapes[shape], &r.Phases[len(r.Phases)-1].Row}
	for i := range r.Groups {
		if r.Groups[i].Name == s.shapes[shape].Group {
			rows = append(rows, &r.Groups[i])
		}
	}
	if due < s.warmUp {
		rows = []*loadtest.Row{&r.Phases[0].Row}
	}
	failed, timeout := random.Float64() < s.errors, random.IntN(4) == 0
	for _, row := range rows {
		record(row, latency, own, failed, timeout)
	}
	interval := &r.Series[min(len(r.Series)-1, int(float64(due)/float64(r.Took)*float64(s.intervals)))]
	interval.Due, interval.Sent = interval.Due+1, interval.Sent+1
	if failed {
		interval.Errors++
	} else {
		interval.Good++
	}
	_ = interval.Latency.RecordValue(min(latency, 60_000_000))
}

func newRow(name string) loadtest.Row {
	return loadtest.Row{Name: name, Errors: map[string]uint64{},
		Latency: hdrhistogram.New(1, 60_000_000, 3), Own: hdrhistogram.New(1, 60_000_000, 3)}
}

func record(row *loadtest.Row, latency, own int64, failed, timeout bool) {
	row.Due++
	row.Sent++
	switch {
	case failed && timeout:
		row.Errors["timeout"]++
	case failed:
		row.Errors["status 503"]++
	default:
		row.Good++
	}
	row.BytesIn += 500
	row.BytesOut += 100
	_ = row.Latency.RecordValue(min(latency, 60_000_000))
	_ = row.Own.RecordValue(min(own, 60_000_000))
}

// repeated is a report of n runs that differ in their noise.
func (s simulation) repeated(n int) report.Report {
	r := reportOf()
	for i := range uint64(n) {
		next := s
		next.seed += i
		r.Runs = append(r.Runs, next.run())
	}
	return r
}

func reportOf(runs ...*loadtest.Result) report.Report {
	return report.Report{
		Tool: "slipstream 1.4.0", When: time.Date(2026, 11, 21, 12, 1, 0, 0, time.UTC),
		Machine:  report.Machine{Cores: 2, OS: "linux", Arch: "amd64", Go: "go1.26.8"},
		Scenario: report.Scenario{Name: "shop.yaml"}, Runs: runs,
	}
}

func knee() *report.Knee {
	k := &report.Knee{Objective: report.Objective{Quantile: 0.99, Limit: 50 * time.Millisecond, Errors: 0.001}, Rate: 6000}
	for _, p := range []struct {
		rate float64
		p99  time.Duration
	}{{1000, 4}, {2000, 5}, {4000, 9}, {8000, 900}, {6000, 38}, {7000, 220}, {6500, 80}} {
		ms := p.p99 * time.Millisecond
		point := report.Point{Asked: p.rate, Achieved: min(p.rate, 7100), Latency: ms, P50: ms / 8, P90: ms / 2, P99: ms, P999: 2 * ms, Max: 3 * ms,
			OK: p.p99 <= 50}
		if !point.OK {
			point.Why = "p99 above 50 ms"
		}
		k.Points = append(k.Points, point)
	}
	return k
}
