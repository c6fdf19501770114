package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// run does what the command line says. A signal ends the load; what there is so far is reported.
func (f *benchFlags) run(cmd *cobra.Command, args []string) error {
	if f.out.record != "" {
		return f.record(cmd, args)
	}
	if len(args) > 1 {
		return f.overlay(cmd, args)
	}
	if len(args) == 0 {
		return usagef("name one URL, scenario or report; see %s --help", cmd.CommandPath())
	}
	if err := f.numbers(); err != nil { // mistakes are found now, not after minutes
		return err
	}
	var before *report.Report
	if f.compare.before != "" {
		b, err := readReport(f.compare.before)
		if err != nil {
			return err
		}
		before = &b
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	after, err := f.measure(ctx, cmd, args[0])
	if err != nil && len(after.Runs) == 0 {
		return err
	}
	if err := errors.Join(err, f.write(cmd.OutOrStdout(), after)); err != nil || before == nil {
		return err
	}
	return f.compareWith(cmd.OutOrStdout(), *before, after)
}

// measure is a report: that of a file, or of what is run now.
func (f *benchFlags) measure(ctx context.Context, cmd *cobra.Command, what string) (r report.Report, err error) {
	if strings.HasSuffix(what, ".json") {
		return readReport(what)
	}
	load, about, err := f.load(cmd, what)
	if err != nil {
		return r, err
	}
	r = report.Report{Tool: "slipstream " + versionText(), When: time.Now(), Machine: report.ThisMachine(), Scenario: about}
	view := newLiveView(cmd.ErrOrStderr())
	defer view.clear()
	if view != nil {
		load.Progress = view.show
	}
	if f.knee.find {
		return r, f.findKnee(ctx, load, view, &r)
	}
	for i := range f.repeat {
		view.name(fmt.Sprintf("run %d of %d:", i+1, f.repeat), f.repeat > 1)
		result, err := f.once(ctx, load)
		if result != nil {
			r.Runs = append(r.Runs, result)
		}
		if err != nil || ctx.Err() != nil {
			return r, err
		}
	}
	return r, nil
}

func readReport(path string) (report.Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return report.Report{}, err
	}
	defer func() { _ = file.Close() }()
	r, err := report.Read(file)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// write writes the files that were asked for, and shows a report, be it that a file cannot be written: a run is not had again.
func (f *benchFlags) write(out io.Writer, r report.Report) error {
	svg := func(w io.Writer, r report.Report) error { return picture(r).SVG(w) }
	var failed error
	for path, write := range map[string]func(io.Writer, report.Report) error{f.out.json: report.Write, f.out.html: report.HTML, f.out.svg: svg} {
		if path != "" {
			failed = errors.Join(failed, writeFile(path, func(w io.Writer) error { return write(w, r) }))
		}
	}
	if f.compare.markdown { // which is all that is to be on the page
		return failed
	}
	return errors.Join(failed, report.Text(out, r, terminalOf(out)))
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return file.Close()
}

// terminalOf is how wide a report may be, and whether it may have colours.
func terminalOf(out io.Writer) report.Terminal {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return report.Terminal{Width: 100}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return report.Terminal{Width: min(width, 120), Color: os.Getenv("NO_COLOR") == ""}
}
