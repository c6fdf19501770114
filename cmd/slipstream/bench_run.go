package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

// run does what the command line says.
func (f *benchFlags) run(ctx context.Context, cmd *cobra.Command, args []string) error {
	if f.out.record != "" {
		return f.record(cmd, args)
	}
	if len(args) != 1 {
		return usagef("name a URL, a scenario or a report; see %s --help", cmd.CommandPath())
	}
	var before *report.Report
	if f.out.compare != "" {
		b, err := readReport(f.out.compare)
		if err != nil {
			return err
		}
		before = &b
	}
	after, err := f.report(ctx, cmd, args[0])
	if err != nil {
		return err
	}
	if err := f.out.write(cmd.OutOrStdout(), after); err != nil || before == nil {
		return err
	}
	return f.out.compareWith(cmd.OutOrStdout(), *before, after)
}

// report is what is shown: of a file, or of what is run now.
func (f *benchFlags) report(ctx context.Context, cmd *cobra.Command, what string) (report.Report, error) {
	if isReport(what) {
		return readReport(what)
	}
	load, about, err := f.scenario(cmd, what)
	if err != nil {
		return report.Report{}, err
	}
	r := report.Report{Tool: "slipstream " + slipstream.Version(), When: time.Now(), Machine: report.ThisMachine(), Scenario: about}
	view := newLiveView(cmd.ErrOrStderr())
	defer view.clear()
	if view != nil {
		load.Progress = view.show
	}
	if f.knee.find {
		return r, f.findKnee(ctx, load, view, &r)
	}
	for i := range f.load.repeat {
		if view != nil && f.load.repeat > 1 {
			view.title = fmt.Sprintf("run %d of %d:", i+1, f.load.repeat)
		}
		result, err := f.once(ctx, load)
		if err != nil {
			return r, err
		}
		r.Runs = append(r.Runs, result)
		if ctx.Err() != nil { // what there is so far is reported
			break
		}
	}
	return r, nil
}
