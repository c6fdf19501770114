package report

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/aclements/go-moremath/stats"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// beyond is how many answers of a run must lie beyond a quantile that is compared.
const beyond = 10

// part is what has lines of its own.
type part struct {
	name string
	of   func(*loadtest.Result) loadtest.Row
}

// parts are the total, and the shapes and groups that both sides have, if there is more than one.
func parts(before, after *loadtest.Result) []part {
	list := []part{{"all", func(r *loadtest.Result) loadtest.Row { return r.Total }}}
	for _, rows := range []func(*loadtest.Result) []loadtest.Row{shapesOf, groupsOf} {
		if len(rows(before)) < 2 {
			continue
		}
		for _, row := range rows(before) {
			if _, both := named(rows(after), row.Name); !both {
				continue
			}
			list = append(list, part{cmp.Or(row.Name, "(none)"), func(r *loadtest.Result) loadtest.Row {
				same, _ := named(rows(r), row.Name)
				return same
			}})
		}
	}
	return list
}

// compareRuns takes each run for one observation.
func compareRuns(before, after []*loadtest.Result) []estimate {
	var list []estimate
	for _, p := range parts(before[0], after[0]) {
		a, b := observations(before, p), observations(after, p)
		for _, m := range metrics(before[0].Open) {
			list = append(list, m.estimate(p.name, a, b))
		}
	}
	return list
}

func observations(runs []*loadtest.Result, p part) []tally {
	var list []tally
	for _, r := range runs {
		list = append(list, tallied(p.of(r), measured(r).Seconds()))
	}
	return list
}

// estimate compares two groups of observations.
func (m metric) estimate(name string, before, after []tally) estimate {
	a, b := m.values(before), m.values(after)
	e := untested(name, m, median(a), median(b))
	few := func(t tally) bool { return !m.enough(t, beyond) }
	if slices.ContainsFunc(slices.Concat(a, b), math.IsNaN) {
		return e
	}
	e.change, e.low, e.high = m.shift(a, b)
	if !m.tested || slices.ContainsFunc(before, few) || slices.ContainsFunc(after, few) {
		return e
	}
	if lowest, highest := slices.Min(slices.Concat(a, b)), slices.Max(slices.Concat(a, b)); lowest == highest {
		return e // nothing to test: no order of the runs would say more
	}
	e.worse, e.better = greater(b, a), greater(a, b)
	if m.lessIsWorse {
		e.worse, e.better = e.better, e.worse
	}
	return e
}

func (m metric) values(observations []tally) []float64 {
	var list []float64
	for _, t := range observations {
		list = append(list, m.of(t))
	}
	return list
}

// greater is the probability of a's being greater than b to this degree by chance (Mann and Whitney 1947), one-sided.
func greater(a, b []float64) float64 {
	r, err := stats.MannWhitneyUTest(a, b, stats.LocationGreater)
	if err != nil {
		return 1
	}
	return r.P
}

// shift is by how much b is above a: the median of all differences of pairs, and the 95 % confidence interval that belongs to the test
// of Mann and Whitney (Hodges and Lehmann 1963).
func (m metric) shift(a, b []float64) (middle, low, high float64) {
	var pairs []float64
	for _, x := range a {
		for _, y := range b {
			pairs = append(pairs, m.change(x, y))
		}
	}
	slices.Sort(pairs)
	u, k := stats.UDist{N1: len(a), N2: len(b)}, 0
	for k < len(pairs)/2 && u.CDF(float64(k+1)) <= significant/2 {
		k++
	}
	return median(pairs), pairs[k], pairs[len(pairs)-1-k]
}

// median of at least one number, NaN if one is; of an even number of them the mean of the two in the middle.
func median(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	if math.IsNaN(sorted[0]) {
		return math.NaN()
	}
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// tooFew warns when even the clearest difference between so many runs could be chance, given how many figures are compared.
func tooFew(before, after, figures int) []string {
	if figures == 0 || clearest(before, after)*float64(figures) <= significant {
		return nil
	}
	n := min(before, after)
	for clearest(n, n)*float64(figures) > significant {
		n++
	}
	return []string{fmt.Sprintf("With so few runs, no difference in %d figures can be told from chance: make %d runs of each.", figures, n)}
}

// clearest is the probability of all runs of one side being above all of the other by chance.
func clearest(before, after int) float64 {
	orders, _ := new(big.Float).SetInt(new(big.Int).Binomial(int64(before+after), int64(before))).Float64()
	return 1 / orders
}

// holm corrects probabilities for how many there are (Holm 1979), so that the smallest one is wrongly below a limit as rarely as a
// single one would be. NaN stays, and does not count.
func holm(p []float64) []float64 {
	corrected := slices.Repeat([]float64{math.NaN()}, len(p))
	var order []int
	for i := range p {
		if !math.IsNaN(p[i]) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	highest := 0.0
	for rank, i := range order {
		highest = max(highest, min(1, p[i]*float64(len(order)-rank)))
		corrected[i] = highest
	}
	return corrected
}
