package report

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

const (
	// slicesOfRun is how many parts a run is cut into: few enough that each is longer than what makes neighbouring requests alike,
	// such as a collection of garbage.
	slicesOfRun = 20
	// fewestSlices have a thousand ways to be swapped.
	fewestSlices = 10
	// resamplings of a test.
	resamplings = 499
	// beyondInSlice is how many answers of a slice must lie beyond a quantile that is compared, on average.
	beyondInSlice = 2
)

// compareSlices is for too few runs. A slice of the time before and the same slice after are a pair: both have the same rate, even in
// a ramp. If nothing has changed, it does not matter which of a pair was before, so the change is compared with those that come of
// swapping the two in random pairs (a permutation test of paired blocks). The confidence interval comes from drawing pairs again
// (a block bootstrap). Series are of the total alone, so shapes and groups get no test.
func compareSlices(before, after []*loadtest.Result) []estimate {
	a, b := together(before), together(after)
	p := pairedSlices(before, after)
	draws := p.draws()
	var list []estimate
	for i, part := range parts(a, b) {
		x := tallied(part.of(a), measured(a).Seconds())
		y := tallied(part.of(b), measured(b).Seconds())
		for _, m := range metrics(a.Open) {
			e := untested(part.name, m, m.of(x), m.of(y))
			if i == 0 && len(p) >= fewestSlices && m.enough(x, float64(beyondInSlice*len(p))) && m.enough(y, float64(beyondInSlice*len(p))) {
				e = p.tested(e, draws)
			}
			list = append(list, e)
		}
	}
	return list
}

// slice is what was counted in a part of the time. Counts of latencies are in the order of values that all slices share.
type slice struct {
	latencies             []float64
	good, errors, seconds float64
}

func (s *slice) add(other slice) {
	for i, n := range other.latencies {
		s.latencies[i] += n
	}
	s.good += other.good
	s.errors += other.errors
	s.seconds += other.seconds
}

// pairs are slices before and after, with the values of their latencies, in milliseconds.
type pairs []pair

type pair struct {
	before, after slice
	values        []float64
}

func pairedSlices(before, after []*loadtest.Result) pairs {
	n := slicesOfRun
	for _, r := range slices.Concat(before, after) {
		n = min(n, len(steady(r)))
	}
	if n == 0 {
		return nil
	}
	values, index := allValues(slices.Concat(before, after))
	p := make(pairs, n)
	for i := range p {
		p[i] = pair{slice{latencies: make([]float64, len(values))}, slice{latencies: make([]float64, len(values))}, values}
	}
	for _, r := range before {
		for i, interval := range steady(r) {
			p[i*n/len(steady(r))].before.count(interval, index)
		}
	}
	for _, r := range after {
		for i, interval := range steady(r) {
			p[i*n/len(steady(r))].after.count(interval, index)
		}
	}
	return p
}

// steady are the intervals that are not of warm-ups.
func steady(r *loadtest.Result) []loadtest.Interval {
	return slices.DeleteFunc(slices.Clone(r.Series), func(i loadtest.Interval) bool { return warming(r, middle(i)) })
}

func (s *slice) count(i loadtest.Interval, index map[int64]int) {
	for value, n := range recorded(i.Latency) {
		s.latencies[index[value]] += float64(n)
	}
	s.good += float64(i.Good)
	s.errors += float64(i.Errors)
	s.seconds += i.Length.Seconds()
}

// recorded gives a histogram's values, in microseconds, and how many there are of each.
func recorded(h *hdrhistogram.Histogram) map[int64]int64 {
	found := map[int64]int64{}
	if empty(h) {
		return found
	}
	for _, bar := range h.Distribution() {
		if bar.Count > 0 {
			found[bar.To] += bar.Count
		}
	}
	return found
}

// allValues are those of all series in ascending order, in milliseconds, and where each one in microseconds is.
func allValues(runs []*loadtest.Result) (values []float64, index map[int64]int) {
	index = map[int64]int{}
	for _, r := range runs {
		for _, i := range r.Series {
			for value := range recorded(i.Latency) {
				index[value] = 0
			}
		}
	}
	var keys []int64
	for value := range index {
		keys = append(keys, value)
	}
	slices.Sort(keys)
	for i, value := range keys {
		index[value] = i
		values = append(values, float64(value)/1000)
	}
	return values, index
}

// drawn is the change in each of many resamplings: of all pairs with some swapped, and of pairs drawn with replacement.
type drawn struct{ swapped, redrawn [][2]tally }

func (p pairs) draws() drawn {
	var d drawn
	if len(p) < fewestSlices {
		return d
	}
	random := rand.New(rand.NewPCG(20, 26)) // the same reports give the same verdict
	for range resamplings {
		d.swapped = append(d.swapped, p.sum(func(i int) (int, bool) { return i, random.IntN(2) == 0 }))
		d.redrawn = append(d.redrawn, p.sum(func(int) (int, bool) { return random.IntN(len(p)), false }))
	}
	return d
}

// sum adds up as many pairs as there are, as pick says: which, and whether before and after change places.
func (p pairs) sum(pick func(int) (int, bool)) [2]tally {
	before := slice{latencies: make([]float64, len(p[0].values))}
	after := slice{latencies: make([]float64, len(p[0].values))}
	for i := range p {
		n, swap := pick(i)
		if swap {
			before.add(p[n].after)
			after.add(p[n].before)
		} else {
			before.add(p[n].before)
			after.add(p[n].after)
		}
	}
	return [2]tally{before.tally(p[0].values), after.tally(p[0].values)}
}

// tally looks up the quantiles that metrics ask for at once, so that what was counted need not be kept.
func (s slice) tally(values []float64) tally {
	t := tally{good: s.good, errors: s.errors, seconds: s.seconds}
	for _, n := range s.latencies {
		t.answers += n
	}
	if t.answers == 0 {
		t.quantile = func(float64) float64 { return math.NaN() }
		return t
	}
	found := map[float64]float64{}
	i, below := -1, 0.0
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		for i < 0 || below < q*t.answers {
			i++
			below += s.latencies[i]
		}
		found[q] = values[i]
	}
	t.quantile = func(q float64) float64 { return found[q] }
	return t
}

// tested adds a confidence to a change.
func (p pairs) tested(e estimate, d drawn) estimate {
	observed := e.metric.ratio(p.sum(func(i int) (int, bool) { return i, false }))
	var redrawn []float64
	up, down, moved := 1.0, 1.0, false
	for i := range resamplings {
		swapped := e.metric.ratio(d.swapped[i])
		moved = moved || swapped != observed
		if swapped >= observed {
			up++
		}
		if swapped <= observed {
			down++
		}
		redrawn = append(redrawn, e.metric.change(e.metric.of(d.redrawn[i][0]), e.metric.of(d.redrawn[i][1])))
	}
	slices.Sort(redrawn)
	if math.IsNaN(observed) || math.IsNaN(redrawn[0]) {
		return e
	}
	const tail = resamplings * 25 / 1000 // 95 % are between
	e.low, e.high = redrawn[tail], redrawn[resamplings-1-tail]
	if !e.metric.tested || !moved {
		return e
	}
	// This test is wrong as often as it may be, while that of a few runs is wrong less often; so both directions share the 5 %.
	e.worse, e.better = min(1, 2*up/(resamplings+1)), min(1, 2*down/(resamplings+1))
	if e.metric.lessIsWorse {
		e.worse, e.better = e.better, e.worse
	}
	return e
}

// ratio is a change that weighs both directions alike, so that swapping all pairs only turns its sign.
func (m metric) ratio(t [2]tally) float64 {
	if m.isShare {
		return m.of(t[1]) - m.of(t[0])
	}
	return math.Log(m.of(t[1]) / m.of(t[0]))
}
