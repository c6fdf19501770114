package report

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// ErrDifferent is in the error of Compare if the reports are not of the same load.
var ErrDifferent = errors.New("the reports are of different loads")

// Options of Compare. Zero fields are the defaults.
type Options struct {
	// MaxRegression is by which share a latency may grow, or a closed loop's rate may shrink. Default 0.1, which is 10 %.
	MaxRegression float64
	// MaxErrors is by how much the share of errors may grow. Default 0.001, from 1 % to 1.1 % for example.
	MaxErrors float64
	// AllowDifferent compares different loads, too, and warns.
	AllowDifferent bool
}

// Comparison is what Compare has found.
type Comparison struct {
	// Method says in a sentence where the confidence comes from.
	Method   string
	Warnings []string
	Lines    []Line
	// MaxRegression and MaxErrors are those of the Options.
	MaxRegression, MaxErrors float64
}

// Line compares one figure.
type Line struct {
	// Part is "all", or a shape's or a group's name; Metric "p50", "p90", "p99", "p99.9", "good/s" or "errors".
	Part, Metric string
	// Before and After are in milliseconds, requests a second, or shares from 0 to 1; NaN without answers.
	Before, After float64
	// Change is relative to Before, but the difference of the two for errors. Low and High are the ends of its 95 % confidence
	// interval; NaN if there is none.
	Change, Low, High float64
	// P is the probability of such a difference, or a larger one, in any line if nothing has changed; NaN for what is not tested.
	P       float64
	Verdict Verdict
	// Failed says that it is worse by more than is allowed.
	Failed bool
}

// Verdict on a line.
type Verdict string

const (
	// Better is beyond chance.
	Better Verdict = "better"
	// Worse is beyond chance, too.
	Worse Verdict = "worse"
	// Same has its confidence interval within what is allowed, to both sides.
	Same Verdict = "same"
	// Unsure is all else that is tested.
	Unsure Verdict = "unsure"
	// Untested is for p90 and p99.9, which are for information.
	Untested Verdict = ""
)

// significant is the probability of a false alarm in a comparison that is allowed for.
const significant = 0.05

// Failed says whether a line has.
func (c Comparison) Failed() bool {
	return slices.ContainsFunc(c.Lines, func(l Line) bool { return l.Failed })
}

// Compare says what has changed from one report to another. An error means that they cannot be compared; it wraps ErrDifferent if
// Options.AllowDifferent would help.
//
// With four runs or more on both sides, a run is one observation, and Mann and Whitney's test compares them, as benchstat does; it
// assumes nothing but that runs are independent. The change is Hodges and Lehmann's: the median over all pairs of runs. With fewer, the
// time is cut into slices, see compareSlices; that covers the total alone, and cannot know by how much one run differs from
// the next.
//
// A line fails if its change is larger than allowed and it is worse beyond chance. Tests are one-sided at 5 %, 2.5 % with slices, corrected
// for the number of lines (Holm), so that at most one comparison in twenty, of a thing with itself, has a line that is "worse", and fewer fail.
func Compare(before, after Report, o Options) (Comparison, error) {
	if o.MaxRegression == 0 {
		o.MaxRegression = 0.1
	}
	if o.MaxErrors == 0 {
		o.MaxErrors = 0.001
	}
	c := Comparison{MaxRegression: o.MaxRegression, MaxErrors: o.MaxErrors}
	if len(before.Runs) == 0 || len(after.Runs) == 0 {
		return c, errors.New("there is nothing to compare: a report without runs")
	}
	different := differences(before, after)
	if len(different) > 0 && !o.AllowDifferent {
		return c, fmt.Errorf("%w: %s", ErrDifferent, sentence(different))
	}
	c.Warnings = append(different, doubts(before, after)...)
	estimates := c.estimates(before.Runs, after.Runs)
	worse, better := make([]float64, len(estimates)), make([]float64, len(estimates))
	for i, e := range estimates {
		worse[i], better[i] = e.worse, e.better
	}
	worse, better = holm(worse), holm(better)
	for i, e := range estimates {
		c.Lines = append(c.Lines, e.line(o, worse[i], better[i]))
	}
	return c, nil
}

// estimate is a line before it is judged.
type estimate struct {
	part          string
	metric        metric
	before, after float64
	// change and its interval, in the metric's terms: see metric.change.
	change, low, high float64
	// worse and better are the probabilities of the data if nothing has changed, against what they say; NaN if not tested.
	worse, better float64
}

func untested(part string, m metric, before, after float64) estimate {
	nan := math.NaN()
	return estimate{part: part, metric: m, before: before, after: after, change: m.change(before, after), low: nan, high: nan, worse: nan, better: nan}
}

func (c *Comparison) estimates(before, after []*loadtest.Result) []estimate {
	const enough = 4 // the fewest with which a one-sided test of two groups can reach 5 % for more than one line
	var list []estimate
	if len(before) >= enough && len(after) >= enough {
		list = compareRuns(before, after)
		c.Method = fmt.Sprintf("Mann-Whitney test of %d runs against %d, one-sided, corrected for %d figures (Holm).",
			len(before), len(after), hypotheses(list))
		c.Warnings = append(c.Warnings, tooFew(len(before), len(after), hypotheses(list))...)
		return list
	}
	list = compareSlices(before, after)
	c.Method = fmt.Sprintf("Permutation test of slices of the runs, corrected for %d figures (Holm), as there are fewer than %d runs on a side: "+
		"the confidence is about the variation within runs, not from one run to the next.", hypotheses(list), enough)
	return list
}

// hypotheses counts what is tested.
func hypotheses(list []estimate) (n int) {
	for _, e := range list {
		if !math.IsNaN(e.worse) {
			n++
		}
	}
	return n
}

// line judges, with probabilities that are corrected.
func (e estimate) line(o Options, worse, better float64) Line {
	l := Line{Part: e.part, Metric: e.metric.name, Before: e.before, After: e.after, Change: e.change, Low: e.low, High: e.high}
	allowed := o.MaxRegression
	if e.metric.isShare {
		allowed = o.MaxErrors
	}
	harm := l.Change
	if e.metric.lessIsWorse {
		harm = -harm
	}
	l.P = min(worse, better)
	switch {
	case !e.metric.tested:
		l.Verdict = Untested
	case worse <= significant:
		l.Verdict, l.Failed = Worse, harm > allowed
	case better <= significant:
		l.Verdict = Better
	case l.Low >= -allowed && l.High <= allowed:
		l.Verdict = Same
	default:
		l.Verdict = Unsure
	}
	return l
}
