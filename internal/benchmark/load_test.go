package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestLoad runs all of it, in a hurry. What it measures is of no interest here.
func TestLoad(t *testing.T) {
	needWrk(t)
	needProgram(t, "nginx")
	var progress bytes.Buffer
	r, err := measureLoad(t.Context(), options{rounds: 1, seconds: 1}, 100*time.Millisecond, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, want := range []string{"| nginx ", "| net/http ", " wrk ", " slipstream bench ", "| p50 ", "| p99 ", "| RSS from 200ms to 1.2s "} {
		if !strings.Contains(r.text, want) {
			t.Errorf("%q is missing in\n%s", want, r.text)
		}
	}
	t.Log(r.text)
}

func TestLoadReportTellsWhatIsMissed(t *testing.T) {
	measured := func(rate float64, p99 time.Duration, late int64) generators {
		ms := time.Millisecond
		one := []generated{{load: load{rate: rate}}}
		return generators{
			servers: []string{"nginx"}, wrk: map[string][]generated{"nginx": one}, ours: map[string][]generated{"nginx": one},
			told:  accuracy{truth: [2]time.Duration{10 * ms, 30 * ms}, own: [2]time.Duration{10 * ms, p99}, latency: [2]time.Duration{10 * ms, 30 * ms}},
			early: 50e6, late: late,
		}
	}
	for name, c := range map[string]struct {
		g      generators
		missed string
	}{
		"all well":   {measured(31000, 31*time.Millisecond, 60e6), ""},
		"rate":       {measured(29000, 31*time.Millisecond, 60e6), "29,000"},
		"above":      {measured(31000, 33*time.Millisecond, 60e6), "10.00 %"},
		"below":      {measured(31000, 27*time.Millisecond, 60e6), "10.00 %"},
		"memory":     {measured(31000, 31*time.Millisecond, 90e6), "90.0 MB"},
		"everything": {measured(1, time.Second, 90e6), "90.0 MB"},
	} {
		r := loadReport(&loadRun{}, "wrk", c.g)
		missed := ""
		for line := range strings.Lines(r.text) {
			if strings.Contains(line, "MISSED") {
				missed += line
			}
		}
		if r.reached != (c.missed == "") || !strings.Contains(missed, c.missed) {
			t.Errorf("%s: reached %v, missed %q, want %q", name, r.reached, missed, c.missed)
		}
	}
}
