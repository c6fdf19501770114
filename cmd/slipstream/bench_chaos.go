package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/chaos"
	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// once runs the load, and meanwhile the faults if there are to be any. Their timeline begins with the load. Where that goes wrong,
// there is a result as well as an error.
func (f *benchFlags) once(ctx context.Context, load loadtest.Load) (*loadtest.Result, error) {
	if f.chaos == "" {
		return loadtest.Run(ctx, load)
	}
	scenario, err := chaos.Load(f.chaos)
	if err != nil {
		return nil, err
	}
	rehearsal, err := scenario.Open(ctx, chaos.Options{})
	if err != nil {
		return nil, err
	}
	loading, over := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- rehearsal.Run(loading) }()
	result, err := loadtest.Run(ctx, load)
	over()
	failed := <-ended
	if err != nil {
		return nil, errors.Join(err, failed)
	}
	events, _ := rehearsal.Events(0)
	result.Faults = faultsOf(events, result.Started, result.Took)
	return result, failed
}

// faultsOf turns events into what plots show. What happened to single connections is left out: the fault itself is there.
func faultsOf(events []chaos.Event, start time.Time, took time.Duration) []loadtest.Fault {
	var faults []loadtest.Fault
	open := map[string]int{} // the fault that has begun and not ended, by what it is about
	for _, e := range events {
		about, at := e.Proxy+e.Process+" "+e.Fault, min(max(e.Time.Sub(start), 0), took)
		switch e.Action {
		case chaos.Begun, chaos.Killed, chaos.Stopped:
			open[about] = len(faults)
			faults = append(faults, loadtest.Fault{Start: at, Length: took - at, Name: nameOf(e)})
		case chaos.Ended, chaos.Started, chaos.Resumed:
			if i, ok := open[about]; ok {
				faults[i].Length = at - faults[i].Start
				delete(open, about)
			}
		case chaos.Exited, chaos.Failed:
			faults = append(faults, loadtest.Fault{Start: at, Name: nameOf(e)})
		}
	}
	return faults
}

func nameOf(e chaos.Event) string {
	what := e.Fault
	if what == "" {
		what = string(e.Action)
	}
	return strings.TrimSpace(e.Proxy + e.Process + " " + what)
}
