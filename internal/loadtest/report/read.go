package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// maxFile is in bytes; a run's part is about one megabyte.
const maxFile = 256 << 20

// Read reads what Write has written. What it does not know, or what cannot be, is an error.
func Read(r io.Reader) (Report, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return Report{}, fmt.Errorf("read the report: %w", err)
	}
	if len(content) > maxFile {
		return Report{}, fmt.Errorf("read the report: it is larger than %d MB", maxFile>>20)
	}
	if err := known(content); err != nil {
		return Report{}, err
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Report{}, fmt.Errorf("read the report: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Report{}, errors.New("read the report: there is something after its end")
	}
	return f.report()
}

// known says whether the rest can be understood, before the rest is looked at.
func known(content []byte) error {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
		Tool    string `json:"tool"`
	}
	err := json.Unmarshal(content, &head)
	switch {
	case err != nil:
		return fmt.Errorf("read the report: it is not JSON: %w", err)
	case head.Format != formatName:
		return fmt.Errorf("not a report of a load test: its \"format\" is %q instead of %q", head.Format, formatName)
	case head.Version != formatVersion:
		return fmt.Errorf("the report has version %d of the format, written by %q; this program reads version %d: use the one that wrote it",
			head.Version, head.Tool, formatVersion)
	}
	return nil
}

func (f *file) report() (Report, error) {
	r := Report{Tool: f.Tool, When: f.When, Machine: f.Machine, Scenario: f.Scenario, Knee: f.Knee.knee()}
	for i, run := range f.Runs {
		result := run.result()
		if err := possible(result); err != nil {
			return Report{}, fmt.Errorf("read the report: run %d: %w", i+1, err)
		}
		r.Runs = append(r.Runs, result)
	}
	if len(r.Runs) == 0 && r.Knee == nil {
		return Report{}, errors.New("read the report: it has neither runs nor a knee")
	}
	if r.Knee != nil && slices.ContainsFunc(r.Knee.Points, func(p Point) bool { return !possibleRate(p.Asked) || !possibleRate(p.Achieved) }) {
		return Report{}, errors.New("read the report: the knee has a rate that cannot be")
	}
	return r, nil
}

// possibleRate is one that a plot has room for, in requests a second.
func possibleRate(f float64) bool { return f >= 0 && f <= 1e12 }

// possible refuses what would lead those who show a result astray.
func possible(r *loadtest.Result) error {
	if len(r.Phases) == 0 {
		return errors.New("it has no phases")
	}
	for _, p := range r.Phases {
		if !possibleRate(p.Phase.From) || !possibleRate(p.Phase.To) || p.Phase.Steps < 0 {
			return fmt.Errorf("phase %q has a rate or steps that cannot be", p.Phase.Name)
		}
	}
	end := time.Duration(0)
	for i, interval := range r.Series {
		if interval.Length <= 0 || interval.Start < end || !possibleRate(interval.Offered) {
			return fmt.Errorf("interval %d: its length must be above 0, its rate possible, and it must start after the one before it", i+1)
		}
		end = interval.Start + interval.Length
	}
	return nil
}

func (f fileRun) result() *loadtest.Result {
	r := &loadtest.Result{
		Target: f.Target, Protocol: f.Protocol, Open: f.Open, Seed: f.Seed, Started: f.Started, Took: time.Duration(f.Took),
		Total: f.Total.row(), Generator: f.Generator.generator(),
	}
	for _, row := range f.Shapes {
		r.Shapes = append(r.Shapes, row.row())
	}
	for _, row := range f.Groups {
		r.Groups = append(r.Groups, row.row())
	}
	for _, p := range f.Phases {
		r.Phases = append(r.Phases, loadtest.PhaseRow{
			Row: p.row(), Start: time.Duration(p.Start), Took: time.Duration(p.Took),
			Phase: loadtest.Phase{Name: p.Name, Duration: time.Duration(p.Duration), From: p.From, To: p.To, Steps: p.Steps, WarmUp: p.WarmUp},
		})
	}
	for _, i := range f.Series {
		r.Series = append(r.Series, loadtest.Interval{
			Start: time.Duration(i.Start), Length: time.Duration(i.Length), Offered: i.Offered, Due: i.Due, Sent: i.Sent, Good: i.Good,
			Errors: i.Errors, Latency: i.LatencyHistogram.Histogram,
		})
	}
	for _, fault := range f.Faults {
		r.Faults = append(r.Faults, loadtest.Fault{Start: time.Duration(fault.Start), Length: time.Duration(fault.Length), Name: fault.Name})
	}
	return r
}

func (f fileRow) row() loadtest.Row {
	return loadtest.Row{
		Name: f.Name, Due: f.Due, Sent: f.Sent, Good: f.Good, Errors: f.Errors, BytesIn: f.BytesIn, BytesOut: f.BytesOut,
		Latency: f.LatencyHistogram.Histogram, Own: f.OwnHistogram.Histogram,
	}
}

func (f fileGenerator) generator() loadtest.Generator {
	return loadtest.Generator{
		Late: f.LateHistogram.Histogram, Waited: f.Waited, Connections: f.Connections, Opened: f.Opened,
		CPU: time.Duration(f.CPU), Cores: f.Cores, Bottleneck: f.Bottleneck,
	}
}

func (f *fileKnee) knee() *Knee {
	if f == nil {
		return nil
	}
	k := &Knee{Objective: Objective{Quantile: f.Quantile, Limit: time.Duration(f.Limit), Errors: f.Errors}, Rate: f.Rate, Bound: f.Bound}
	for _, p := range f.Points {
		k.Points = append(k.Points, Point{
			Asked: p.Asked, Achieved: p.Achieved, Latency: time.Duration(p.Latency), P50: time.Duration(p.P50), P90: time.Duration(p.P90),
			P99: time.Duration(p.P99), P999: time.Duration(p.P999), Max: time.Duration(p.Max), Errors: p.Errors, OK: p.OK, Why: p.Why,
		})
	}
	return k
}
