package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// Write writes a report as JSON that Read reads.
func Write(w io.Writer, r Report) error {
	f := file{
		Format: formatName, Version: formatVersion, Tool: r.Tool, When: r.When, Machine: r.Machine, Scenario: r.Scenario,
		Runs: []fileRun{}, Knee: writtenKnee(r.Knee),
	}
	for _, run := range r.Runs {
		f.Runs = append(f.Runs, writtenRun(run))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(f); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func writtenRun(r *loadtest.Result) fileRun {
	f := fileRun{
		Target: r.Target, Protocol: r.Protocol, Open: r.Open, Seed: r.Seed, Started: r.Started, Took: seconds(r.Took),
		Total: writtenRow(r.Total), Generator: writtenGenerator(r.Generator), Phases: []filePhase{}, Series: []fileInterval{},
	}
	for _, row := range r.Shapes {
		f.Shapes = append(f.Shapes, writtenRow(row))
	}
	for _, row := range r.Groups {
		f.Groups = append(f.Groups, writtenRow(row))
	}
	for _, p := range r.Phases {
		row := writtenRow(p.Row)
		row.Name = p.Phase.Name
		f.Phases = append(f.Phases, filePhase{
			fileRow: row, Duration: seconds(p.Phase.Duration), From: p.Phase.From, To: p.Phase.To, Steps: p.Phase.Steps,
			WarmUp: p.Phase.WarmUp, Start: seconds(p.Start), Took: seconds(p.Took),
		})
	}
	for _, i := range r.Series {
		f.Series = append(f.Series, fileInterval{
			Start: seconds(i.Start), Length: seconds(i.Length), Offered: i.Offered, Due: i.Due, Sent: i.Sent, Good: i.Good,
			Errors: i.Errors, LatencyHistogram: histogram{i.Latency}, Latency: derive(i.Latency),
		})
	}
	for _, fault := range r.Faults {
		f.Faults = append(f.Faults, fileFault{Start: seconds(fault.Start), Length: seconds(fault.Length), Name: fault.Name})
	}
	return f
}

func writtenRow(r loadtest.Row) fileRow {
	return fileRow{
		Name: r.Name, Due: r.Due, Sent: r.Sent, Good: r.Good, Errors: r.Errors, BytesIn: r.BytesIn, BytesOut: r.BytesOut,
		LatencyHistogram: histogram{r.Latency}, Latency: derive(r.Latency), OwnHistogram: histogram{r.Own}, Own: derive(r.Own),
	}
}

func writtenGenerator(g loadtest.Generator) fileGenerator {
	return fileGenerator{
		LateHistogram: histogram{g.Late}, Late: derive(g.Late), Waited: g.Waited, Connections: g.Connections, Opened: g.Opened,
		CPU: seconds(g.CPU), Cores: g.Cores, Bottleneck: g.Bottleneck,
	}
}

func writtenKnee(k *Knee) *fileKnee {
	if k == nil {
		return nil
	}
	f := &fileKnee{
		Quantile: k.Objective.Quantile, Limit: millis(k.Objective.Limit), Errors: k.Objective.Errors, Rate: k.Rate, Points: []filePoint{}, Bound: k.Bound,
	}
	for _, p := range k.Points {
		f.Points = append(f.Points, filePoint{
			Asked: p.Asked, Achieved: p.Achieved, Latency: millis(p.Latency), P50: millis(p.P50), P90: millis(p.P90), P99: millis(p.P99),
			P999: millis(p.P999), Max: millis(p.Max), Errors: p.Errors, OK: p.OK, Why: p.Why,
		})
	}
	return f
}
