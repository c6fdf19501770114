package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
)

//go:embed page
var pageFiles embed.FS

// page is what the template shows.
type page struct {
	summary
	Style   template.CSS
	Script  template.JS
	Tiles   []tile
	Columns []string
	// KneeColumns has those of KneePoints.
	KneeColumns []string
	Knee        []plot
	// Overlaid are the plots of an Overlay.
	Overlaid []plot
	// Runs have the plots over time of each.
	Runs        []runPlots
	Percentiles []plot
	Method      string
}

// tile is a figure to see first.
type tile struct{ Label, Value, Unit string }

type runPlots struct {
	Title string
	// Open is for the first.
	Open  bool
	Plots []plot
	// Faults in the order of their numbers in the plots.
	Faults [][]string
}

// HTML writes a report as one page that needs no network, and no script except to show values where the pointer is.
func HTML(w io.Writer, r Report) error {
	p := page{summary: summarize(r), Columns: figureColumns(), KneeColumns: kneeColumns()}
	p.plots(r)
	return p.write(w)
}

func (p page) write(w io.Writer) error {
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return err
	}
	script, err := pageFiles.ReadFile("page/page.js")
	if err != nil {
		return err
	}
	p.Style, p.Script = template.CSS(style), template.JS(script)
	t, err := template.ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return err
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func (p *page) plots(r Report) {
	if r.Knee != nil {
		p.Knee = []plot{kneePlot("knee", r.Knee)}
	}
	if len(r.Runs) == 0 {
		return
	}
	p.Percentiles = []plot{percentilePlot("percentiles", r.Runs)}
	for i, run := range r.Runs {
		n := strconv.Itoa(i + 1)
		plots := runPlots{Title: "Run " + n, Open: i == 0, Plots: []plot{latencyPlot("latency-"+n, run), throughputPlot("throughput-"+n, run)}}
		plots.Faults = faultRows(r.Runs[i : i+1])
		p.Runs = append(p.Runs, plots)
	}
	all := p.Sections[0].Rows[0]
	p.Tiles = []tile{{"good answers", all[2], "/s"}, {"p50", all[4], "ms"}, {"p99", all[6], "ms"}, {"errors", all[3], ""}}
	p.Method = method(r.Runs[0].Open)
}

// method says how latency was measured.
func method(open bool) string {
	text := "Requests were sent when they were due, whatever the server did (an open loop), and latency counts from that time: what a slow server kept waiting is not left out. "
	if !open {
		text = "Each connection sent its next request when the answer to the last one had come (a closed loop), so a slow server was asked less often. "
	}
	return text + "Totals leave warm-ups out; latencies are exact to 0.1 %, those over time to 1 %. " +
		"Requests that were never answered count as errors, and have no latency."
}
