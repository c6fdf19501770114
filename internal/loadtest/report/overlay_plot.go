package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// mostSteps is how many intervals a curve has: with more, curves in one plot would hide each other behind their noise.
const mostSteps = 120

// course is what an overlay draws of one report.
type course struct {
	name, class string
	series      []loadtest.Interval
}

// curveFigure is what is drawn of each interval.
type curveFigure struct {
	id, title, label, unit string
	of                     func(loadtest.Interval) float64
	scale                  func(values []float64) scale
}

func curveFigures() []curveFigure {
	return []curveFigure{
		{
			"goodput", "Goodput over time", "right answers a second, by when they were due", "/s",
			func(i loadtest.Interval) float64 { return float64(i.Good) / i.Length.Seconds() },
			func(values []float64) scale { return fromZero(1.05 * highest(values)) },
		},
		{
			"p99", "p99 over time", "99 % of the answers, right or wrong, came within so many ms of when they were due", " ms",
			func(i loadtest.Interval) float64 { return milliseconds(i.Latency, 0.99) }, forLatencies,
		},
	}
}

// plots have a curve for each report.
func (o Overlay) plots() []plot {
	longest := o[0].Report.Runs[0]
	var courses []course
	for i, n := range o {
		run := n.Report.Runs[0]
		class := [mostOverlaid]string{"first", "second", "third", "fourth"}[i]
		courses = append(courses, course{printable(n.Name), class, coarse(run.Series)})
		if run.Took > longest.Took {
			longest = run
		}
	}
	var list []plot
	for _, f := range curveFigures() {
		list = append(list, f.plot(longest, courses))
	}
	return list
}

// plot draws all courses over the time of the longest run, whose phases and faults it names.
func (f curveFigure) plot(longest *loadtest.Result, courses []course) plot {
	p, end := timeline(f.id, longest)
	p.Dense = false
	var values []float64
	for _, c := range courses {
		for _, i := range c.series {
			values = append(values, f.of(i))
		}
	}
	y := f.scale(values)
	p.axis(f.title, f.label, y)
	for _, c := range courses {
		var line pen
		for _, i := range c.series {
			v := f.of(i)
			if !math.IsNaN(v) {
				v = y.at(v)
			}
			line.step(partOf(i.Start, end), partOf(i.Start+i.Length, end), v)
		}
		p.Curves = append(p.Curves, line.curve(c.class))
		p.Legend = append(p.Legend, legend{c.class, c.name})
	}
	p.Desc = fmt.Sprintf("%s: %s. Curves of %d reports.", f.title, f.label, len(courses))
	p.hits(&loadtest.Result{Series: coarse(longest.Series), Faults: longest.Faults}, end, func(i loadtest.Interval) string {
		var lines []string
		for _, c := range courses {
			lines = append(lines, c.name+" "+c.at(i.Start+i.Length/2, f.of)+f.unit)
		}
		return strings.Join(lines, "\n")
	})
	return p
}

// at is the figure at a time.
func (c course) at(t time.Duration, of func(loadtest.Interval) float64) string {
	for _, i := range c.series {
		if t >= i.Start && t < i.Start+i.Length {
			return figure(of(i))
		}
	}
	return none
}

// highest leaves NaN out.
func highest(values []float64) float64 {
	most := 0.0
	for _, v := range values {
		if v > most {
			most = v
		}
	}
	return most
}

// coarse makes one interval of as many neighbours as it takes for there to be mostSteps of them at most.
func coarse(series []loadtest.Interval) []loadtest.Interval {
	every := (len(series) + mostSteps - 1) / mostSteps
	var list []loadtest.Interval
	for i, next := range series {
		if i%every == 0 {
			list = append(list, next)
			continue
		}
		last := &list[len(list)-1]
		last.Length = next.Start + next.Length - last.Start
		last.Good += next.Good
		last.Latency = merged(last.Latency, next.Latency)
	}
	return list
}
