package report

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// timeline is a plot over the time of a run, without curves yet.
func timeline(id string, r *loadtest.Result) (plot, time.Duration) {
	const many = 200 // intervals, for lines as wide as those of a few
	p := plot{ID: id, XLabel: "time since the start", Dense: len(r.Series) > many}
	var end time.Duration
	for _, i := range r.Series {
		end = max(end, i.Start+i.Length)
	}
	for n, t := range timeTicks(end) {
		p.X = append(p.X, tickX(n, partOf(t, end), timeLabel(t, end)))
	}
	p.phases(r, end)
	p.faults(r, end)
	return p, end
}

func partOf(t, end time.Duration) float64 {
	if end <= 0 {
		return 0
	}
	return min(1, float64(t)/float64(end))
}

// phases are named above the plot, and told apart by lines; warm-ups are shaded.
func (p *plot) phases(r *loadtest.Result, end time.Duration) {
	const tooNarrow = 0.04 // for a name
	for i, phase := range r.Phases {
		from, to := partOf(phase.Start, end), partOf(phase.Start+phase.Took, end)
		name := printable(cmp.Or(phase.Phase.Name, phase.Name))
		if phase.Phase.WarmUp {
			p.Bands = append(p.Bands, band{number(gridWidth * from), number(gridWidth * (to - from)), "warm"})
		}
		if len(r.Phases) > 1 {
			p.Strips = append(p.Strips, strip{percentOf(from), percentOf(to - from), name, to-from < tooNarrow})
		}
		if i > 0 {
			p.Curves = append(p.Curves, upright("boundary", from))
		}
	}
}

// faults are bands and lines with their numbers; where numbers would cover each other, the first stands for the next ones.
func (p *plot) faults(r *loadtest.Result, end time.Duration) {
	last := -1.0
	for i, f := range r.Faults {
		from, to := partOf(f.Start, end), partOf(f.Start+f.Length, end)
		if f.Length > 0 {
			p.Bands = append(p.Bands, band{number(gridWidth * from), number(gridWidth * (to - from)), "fault"})
		}
		p.Curves = append(p.Curves, upright("fault", from))
		if from-last > 0.05 || last < 0 {
			p.Badges = append(p.Badges, badge{percentOf(min(from, 0.95)), strconv.Itoa(i + 1), printable(f.Name)})
			last = from
		}
	}
}

// latencyPlot has p50, p99 and the maximum of each interval.
func latencyPlot(id string, r *loadtest.Result) plot {
	p, end := timeline(id, r)
	quantiles := []struct {
		class, label string
		q            float64
	}{{"max", "max", 1}, {"p99", "p99", 0.99}, {"p50", "p50", 0.5}}
	var values []float64
	for _, i := range r.Series {
		for _, q := range quantiles {
			values = append(values, milliseconds(i.Latency, q.q))
		}
	}
	y := forLatencies(values)
	p.axis("Latency over time", "latency in ms, from when requests were due", y)
	for _, q := range quantiles {
		var line pen
		for _, i := range r.Series {
			v := milliseconds(i.Latency, q.q)
			if !math.IsNaN(v) {
				v = y.at(v)
			}
			line.step(partOf(i.Start, end), partOf(i.Start+i.Length, end), v)
		}
		p.Curves = append(p.Curves, line.curve(q.class))
		p.Legend = append([]legend{{q.class, q.label}}, p.Legend...)
	}
	p.Desc = fmt.Sprintf("p50, p99 and the longest latency of %d intervals, in milliseconds. Of all: p50 %s, p99 %s, longest %s.", len(r.Series),
		figure(milliseconds(r.Total.Latency, 0.5)), figure(milliseconds(r.Total.Latency, 0.99)), figure(milliseconds(r.Total.Latency, 1)))
	p.hits(r, end, func(i loadtest.Interval) string {
		if empty(i.Latency) {
			return "no answers"
		}
		return fmt.Sprintf("p50 %s ms\np99 %s ms\nmax %s ms", figure(milliseconds(i.Latency, 0.5)), figure(milliseconds(i.Latency, 0.99)), figure(milliseconds(i.Latency, 1)))
	})
	return p
}

func (p *plot) axis(title, label string, y scale) {
	p.Title, p.YLabel, p.Y = title, label, ticksY(y)
	if y.log {
		p.YLabel += " (logarithmic)"
	}
}

// throughputPlot has requests a second: asked for, sent, right and wrong.
func throughputPlot(id string, r *loadtest.Result) plot {
	p, end := timeline(id, r)
	lines := []struct {
		class, label string
		of           func(loadtest.Interval) float64
	}{
		{"good", "good", func(i loadtest.Interval) float64 { return float64(i.Good) / i.Length.Seconds() }},
		{"sent", "sent", func(i loadtest.Interval) float64 { return float64(i.Sent) / i.Length.Seconds() }},
		{"errors", "errors", func(i loadtest.Interval) float64 { return float64(i.Errors) / i.Length.Seconds() }},
		{"asked", "asked", func(i loadtest.Interval) float64 { return i.Offered }},
	}
	if !r.Open {
		lines = lines[:3]
	}
	highest := 0.0
	for _, i := range r.Series {
		for _, l := range lines {
			highest = max(highest, l.of(i))
		}
	}
	y := fromZero(1.05 * highest)
	p.axis("Throughput over time", "requests a second, by when they were due", y)
	for _, l := range lines {
		var line pen
		for _, i := range r.Series {
			line.step(partOf(i.Start, end), partOf(i.Start+i.Length, end), y.at(l.of(i)))
		}
		if l.class == "good" && len(r.Series) > 0 {
			p.Curves = append(p.Curves, line.under(partOf(r.Series[0].Start, end)))
		}
		p.Curves = append(p.Curves, line.curve(l.class))
		p.Legend = append(p.Legend, legend{l.class, l.label})
	}
	p.Desc = fmt.Sprintf("Requests a second in %d intervals. Of all: %s good answers, %s others.", len(r.Series), count(r.Total.Good), count(errorsOf(r.Total)))
	p.hits(r, end, func(i loadtest.Interval) string {
		var list []string
		for n := range lines {
			l := lines[len(lines)-1-n]
			list = append(list, l.label+" "+figure(l.of(i))+"/s")
		}
		return strings.Join(list, "\n")
	})
	return p
}

// hits are where an interval's values are shown, with what was done to the connections meanwhile.
func (p *plot) hits(r *loadtest.Result, end time.Duration, text func(loadtest.Interval) string) {
	for _, i := range r.Series {
		from, to := partOf(i.Start, end), partOf(i.Start+i.Length, end)
		lines := inSeconds(i.Start) + " – " + inSeconds(i.Start+i.Length) + "\n" + text(i)
		for n, f := range r.Faults {
			if f.Start < i.Start+i.Length && f.Start+f.Length >= i.Start {
				lines += fmt.Sprintf("\n%d: %s", n+1, printable(f.Name))
			}
		}
		p.Hits = append(p.Hits, hit{number(gridWidth * from), number(gridWidth * (to - from)), lines})
	}
}
