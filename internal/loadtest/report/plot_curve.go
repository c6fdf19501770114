package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// percentilePlot is HdrHistogram's: to the right, each step is ten times rarer.
func percentilePlot(id string, runs []*loadtest.Result) plot {
	all := together(runs).Total
	rarest := 100.0
	if !empty(all.Latency) {
		rarest = max(rarest, float64(all.Latency.TotalCount()))
	}
	x := scale{low: 1, high: rarest, log: true}
	p := plot{ID: id, XLabel: "percentile"}
	for _, v := range x.ticks() {
		if !wholeDecade(v) {
			continue
		}
		p.X = append(p.X, tickX(len(p.X), x.at(v), figureQuantile(1-1/v)+" %"))
	}
	y := forLatencies([]float64{milliseconds(all.Latency, 0.5), milliseconds(all.Latency, 1), milliseconds(all.Own, 0.5)})
	p.axis("Latency by percentile", "latency in ms", y)
	draw := func(class string, h *hdrhistogram.Histogram) {
		var line pen
		for _, point := range rarities(h) {
			line.to(x.at(point.rarity), y.at(milliseconds(h, point.quantile)))
		}
		p.Curves = append(p.Curves, line.curve(class))
	}
	if len(runs) > 1 {
		for _, r := range runs {
			draw("run", r.Total.Latency)
		}
	}
	draw("own", all.Own)
	draw("p50", all.Latency)
	p.Legend = []legend{{"p50", "from when due"}, {"own", "from when sent"}}
	if len(runs) > 1 {
		p.Legend = append(p.Legend, legend{"run", "single runs"})
	}
	p.Desc = fmt.Sprintf("Latency in milliseconds: p50 %s, p90 %s, p99 %s, p99.9 %s, longest %s.", figure(milliseconds(all.Latency, 0.5)),
		figure(milliseconds(all.Latency, 0.9)), figure(milliseconds(all.Latency, 0.99)), figure(milliseconds(all.Latency, 0.999)), figure(milliseconds(all.Latency, 1)))
	p.percentileHits(all, x)
	return p
}

func wholeDecade(v float64) bool {
	decade := math.Log10(v)
	return math.Abs(decade-math.Round(decade)) < 1e-6
}

// rare is a quantile and how many requests there are for each one beyond it, 1/(1-q).
type rare struct{ rarity, quantile float64 }

// rarities are ten to a decade, as far as there are values. The last is the maximum, which is one of them all.
func rarities(h *hdrhistogram.Histogram) []rare {
	if empty(h) {
		return nil
	}
	n := float64(h.TotalCount())
	var list []rare
	for i := 0; ; i++ {
		r := math.Pow(10, float64(i)/10)
		if r >= n {
			return append(list, rare{n, 1})
		}
		list = append(list, rare{r, 1 - 1/r})
	}
}

func (p *plot) percentileHits(all loadtest.Row, x scale) {
	list := rarities(all.Latency)
	for i, r := range list {
		from, to := 0.0, 1.0
		if i > 0 {
			from = (x.at(list[i-1].rarity) + x.at(r.rarity)) / 2
		}
		if i < len(list)-1 {
			to = (x.at(r.rarity) + x.at(list[i+1].rarity)) / 2
		}
		text := fmt.Sprintf("%s %%\nfrom when due %s ms\nfrom when sent %s ms", roundQuantile(r.quantile), figure(milliseconds(all.Latency, r.quantile)),
			figure(milliseconds(all.Own, r.quantile)))
		p.Hits = append(p.Hits, hit{number(gridWidth * from), number(gridWidth * (to - from)), text})
	}
}

// roundQuantile writes as many digits as tell a quantile from its neighbours.
func roundQuantile(q float64) string {
	digits := 1
	for rest := 1 - q; rest > 0 && rest < 0.05 && digits < 7; rest *= 10 {
		digits++
	}
	return fmt.Sprintf("%.*f", digits, 100*q)
}

// kneePlot is the objective's latency at each rate that was tried.
func kneePlot(id string, k *Knee) plot {
	points := k.sorted()
	values := []float64{inMilliseconds(k.Objective.Limit)}
	highest := 0.0
	for _, point := range points {
		values = append(values, inMilliseconds(point.Latency))
		highest = max(highest, point.Asked)
	}
	x, y := fromZero(highest), forLatencies(values)
	name := "p" + figureQuantile(k.Objective.Quantile)
	p := plot{ID: id, XLabel: "requests asked for a second"}
	p.axis("Latency by rate", name+" in ms", y)
	for i, v := range x.ticks() {
		p.X = append(p.X, tickX(i, x.at(v), tickLabel(v)))
	}
	p.Curves = append(p.Curves, flat("limit", y.at(values[0])))
	p.Legend = append(p.Legend, legend{"limit", k.Objective.String()})
	if k.Rate > 0 {
		p.Curves = append(p.Curves, upright("knee", x.at(k.Rate)))
		p.Legend = append(p.Legend, legend{"knee", "knee: " + rate(k.Rate) + "/s"})
	}
	var line, kept, broken pen
	for _, point := range points {
		at, latency := x.at(point.Asked), y.at(inMilliseconds(point.Latency))
		line.to(at, latency)
		if point.OK {
			kept.dot(at, latency)
		} else {
			broken.dot(at, latency)
		}
	}
	p.Curves = append(p.Curves, line.curve("p50"), kept.curve("kept"), broken.curve("broken"))
	p.Legend = append(p.Legend, legend{"kept", "kept"}, legend{"broken", "broken"})
	p.Desc = kneeFound(k)
	p.kneeHits(points, name, x)
	return p
}

func (p *plot) kneeHits(points []Point, name string, x scale) {
	for i, point := range points {
		from, to := 0.0, 1.0
		if i > 0 {
			from = x.at((points[i-1].Asked + point.Asked) / 2)
		}
		if i < len(points)-1 {
			to = x.at((point.Asked + points[i+1].Asked) / 2)
		}
		lines := []string{"asked " + rate(point.Asked) + "/s", "sent " + rate(point.Achieved) + "/s", name + " " + figure(inMilliseconds(point.Latency)) + " ms",
			"errors " + percent(point.Errors)}
		if !point.OK {
			lines = append(lines, printable(cmp.Or(point.Why, "broken")))
		}
		lines = slices.Compact(lines)
		p.Hits = append(p.Hits, hit{number(gridWidth * from), number(gridWidth * (to - from)), strings.Join(lines, "\n")})
	}
}
