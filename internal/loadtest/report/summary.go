package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// summary is what a report says in words and tables, in the terminal as on the page.
type summary struct {
	Title    string
	Facts    []string
	Warnings []string
	// Sections have tables with the columns of figureColumns.
	Sections []section
	// Errors by kind, most of all first, with their counts.
	Errors  [][]string
	Remarks []string
	// Faults of all runs: when, for how long, what.
	Faults [][]string
	// KneeFound says what the search has found, and KneePoints has the columns of kneeColumns; empty without a search.
	KneeFound  string
	KneePoints [][]string
}

type section struct {
	Title string
	Rows  [][]string
}

func figureColumns() []string {
	return []string{"", "asked/s", "good/s", "errors", "p50", "p90", "p99", "p99.9", "max"}
}

func kneeColumns() []string {
	return []string{"asked/s", "sent/s", "errors", "p50", "p90", "p99", "p99.9", "max", "objective"}
}

func summarize(r Report) summary {
	s := summary{Title: cmp.Or(r.Scenario.Name, "Load test")}
	s.Facts = append(s.Facts, madeBy(r))
	if len(r.Runs) > 0 {
		all := together(r.Runs)
		s.Facts = append([]string{asked(all, len(r.Runs))}, s.Facts...)
		s.Facts = append(s.Facts, latenciesAre)
		if all.Generator.Bottleneck != "" {
			s.Warnings = append(s.Warnings, "The generator was the bottleneck, so these are not the server's figures: "+all.Generator.Bottleneck)
		}
		s.Sections = sections(r.Runs, all)
		s.Errors = errorRows(all.Total)
		s.Remarks = remarks(all, len(r.Runs))
		s.Faults = faultRows(r.Runs)
	}
	if r.Knee != nil {
		s.KneeFound, s.KneePoints = kneeFound(r.Knee), kneeRows(r.Knee)
	}
	s.Title = printable(s.Title)
	for _, texts := range [][]string{s.Facts, s.Warnings} {
		for i := range texts {
			texts[i] = printable(texts[i])
		}
	}
	return s
}

const latenciesAre = "Latencies are in milliseconds, from when requests were due."

// madeBy says when a report was made, by what and on what.
func madeBy(r Report) string {
	return fmt.Sprintf("%s, %s, on %d cores (%s/%s, %s).", r.When.UTC().Format("2006-01-02 15:04 UTC"), r.Tool,
		r.Machine.Cores, r.Machine.OS, r.Machine.Arch, r.Machine.Go)
}

// asked says in one sentence what was to be sent.
func asked(r *loadtest.Result, runs int) string {
	loop := "a closed loop"
	if r.Open {
		loop = "an open loop"
	}
	var duration, warmUp time.Duration
	for _, p := range r.Phases {
		if p.Phase.WarmUp {
			warmUp += p.Phase.Duration
		} else {
			duration += p.Phase.Duration
		}
	}
	text := fmt.Sprintf("%s over %s, %s, %s", r.Target, r.Protocol, loop, inSeconds(duration))
	if warmUp > 0 {
		text += " after " + inSeconds(warmUp) + " of warm-up"
	}
	if runs > 1 {
		text += fmt.Sprintf(", %d runs", runs)
	}
	return fmt.Sprintf("%s, seed %d.", text, r.Seed)
}

func sections(runs []*loadtest.Result, all *loadtest.Result) []section {
	took := measured(all)
	list := []section{{"", [][]string{figures("all", all.Total, took, all.Open)}}}
	if len(runs) > 1 {
		var rows [][]string
		for i, r := range runs {
			rows = append(rows, figures(fmt.Sprintf("run %d", i+1), r.Total, measured(r), r.Open))
		}
		list = append(list, section{"Runs", rows})
	}
	if len(all.Phases) > 1 {
		var rows [][]string
		for _, p := range all.Phases {
			name := cmp.Or(p.Phase.Name, p.Name)
			if p.Phase.WarmUp {
				name += " (not in all)"
			}
			rows = append(rows, figures(name, p.Row, p.Took, p.Phase.From != 0 || p.Phase.To != 0))
		}
		list = append(list, section{"Phases", rows})
	}
	for _, part := range []struct {
		title string
		rows  []loadtest.Row
	}{{"Shapes", all.Shapes}, {"Groups", all.Groups}} {
		if len(part.rows) < 2 {
			continue
		}
		var rows [][]string
		for _, row := range part.rows {
			rows = append(rows, figures(cmp.Or(row.Name, "(none)"), row, took, all.Open))
		}
		list = append(list, section{part.title, rows})
	}
	return list
}

// figures is a row under figureColumns. In a closed loop nothing was asked for.
func figures(name string, r loadtest.Row, d time.Duration, open bool) []string {
	due := none
	if open {
		due = rate(float64(r.Due) / d.Seconds())
	}
	row := []string{printable(name), due, rate(float64(r.Good) / d.Seconds()), percent(errorShare(r))}
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		row = append(row, figure(milliseconds(r.Latency, q)))
	}
	return row
}

func errorRows(r loadtest.Row) [][]string {
	kinds := slices.SortedFunc(maps.Keys(r.Errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Errors[b], r.Errors[a]), cmp.Compare(a, b))
	})
	var rows [][]string
	for _, kind := range kinds {
		rows = append(rows, []string{printable(kind), count(r.Errors[kind])})
	}
	return rows
}

// remarks are what else there is to know about the figures.
func remarks(r *loadtest.Result, runs int) []string {
	var list []string
	since, own := milliseconds(r.Total.Latency, 0.99), milliseconds(r.Total.Own, 0.99)
	if since-own > 1 && since > 1.5*own {
		list = append(list, fmt.Sprintf("Counted from when requests were sent, as closed-loop tools do, p99 would be %s ms instead of %s ms: "+
			"the rest is time that requests were due and could not be sent.", figure(own), figure(since)))
	}
	if missing := r.Total.Due - min(r.Total.Due, r.Total.Sent); missing > 0 {
		list = append(list, fmt.Sprintf("%s of %s requests that were due were never sent.", count(missing), count(r.Total.Due)))
	}
	g := r.Generator
	var facts []string
	if late := milliseconds(g.Late, 0.99); !math.IsNaN(late) {
		facts = append(facts, fmt.Sprintf("sent 99 %% within %s ms of when due, all within %s ms", figure(late), figure(milliseconds(g.Late, 1))))
	}
	if g.Waited > 0 {
		facts = append(facts, count(g.Waited)+" waited for a free connection")
	}
	facts = append(facts, fmt.Sprintf("%s connections at once, %s opened", count(g.Connections), count(g.Opened)))
	if took := r.Took * time.Duration(runs); took > 0 && g.CPU > 0 {
		facts = append(facts, fmt.Sprintf("%.1f of %d cores busy", g.CPU.Seconds()/took.Seconds(), g.Cores))
	}
	return append(list, "Generator: "+strings.Join(facts, "; ")+".")
}

func faultRows(runs []*loadtest.Result) [][]string {
	var rows [][]string
	for i, r := range runs {
		for _, f := range r.Faults {
			length := none
			if f.Length > 0 {
				length = inSeconds(f.Length)
			}
			at := "at " + inSeconds(f.Start)
			if len(runs) > 1 {
				at = fmt.Sprintf("run %d, %s", i+1, at)
			}
			rows = append(rows, []string{at, length, printable(f.Name)})
		}
	}
	return rows
}

func (o Objective) String() string {
	text := fmt.Sprintf("p%s within %s ms", figureQuantile(o.Quantile), figure(inMilliseconds(o.Limit)))
	if o.Errors > 0 {
		text += " and at most " + percent(o.Errors) + " errors"
	}
	return text
}

// figureQuantile writes 0.999 as 99.9.
func figureQuantile(q float64) string {
	return strconv.FormatFloat(math.Round(q*1e7)/1e5, 'f', -1, 64)
}

func kneeFound(k *Knee) string {
	if k.Rate == 0 {
		return fmt.Sprintf("No rate that was tried kept %s.", k.Objective)
	}
	text := fmt.Sprintf("%s requests a second keep %s", rate(k.Rate), k.Objective)
	above := math.Inf(1)
	for _, p := range k.Points {
		if !p.OK && p.Asked > k.Rate {
			above = min(above, p.Asked)
		}
	}
	switch {
	case k.Bound != "":
		return fmt.Sprintf("%s; the knee may be higher: %s.", text, k.Bound)
	case math.IsInf(above, 1):
		return text + "; no higher rate that was tried broke it."
	}
	return fmt.Sprintf("%s, %s do not.", text, rate(above))
}

// sorted by rate, as the curve is.
func (k *Knee) sorted() []Point {
	return slices.SortedStableFunc(slices.Values(k.Points), func(a, b Point) int { return cmp.Compare(a.Asked, b.Asked) })
}

func kneeRows(k *Knee) [][]string {
	var rows [][]string
	for _, p := range k.sorted() {
		verdict := "kept"
		if !p.OK {
			verdict = printable(cmp.Or(p.Why, "broken"))
		}
		row := []string{rate(p.Asked), rate(p.Achieved), percent(p.Errors)}
		for _, d := range []time.Duration{p.P50, p.P90, p.P99, p.P999, p.Max} {
			row = append(row, figure(inMilliseconds(d)))
		}
		rows = append(rows, append(row, verdict))
	}
	return rows
}
