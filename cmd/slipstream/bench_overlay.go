package main

import (
	"cmp"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// overlay shows several reports together. Their files' names are the curves'.
func (f *benchFlags) overlay(cmd *cobra.Command, paths []string) error {
	for _, name := range []string{"json", "compare", "repeat", "find-knee", "chaos"} {
		if cmd.Flags().Changed(name) {
			return usagef("--%s is for one URL, scenario or report; give several reports with --html and --svg alone", name)
		}
	}
	var o report.Overlay
	for _, path := range paths {
		if !strings.HasSuffix(path, ".json") {
			return usagef("%s is no report (.json); name one URL or scenario, or several reports", path)
		}
		r, err := readReport(path)
		if err != nil {
			return err
		}
		o = append(o, report.Named{Name: strings.TrimSuffix(filepath.Base(path), ".json"), Report: r})
	}
	if f.out.html != "" {
		if err := writeFile(f.out.html, o.HTML); err != nil {
			return err
		}
	}
	if f.out.svg != "" {
		if err := writeFile(f.out.svg, o.SVG); err != nil {
			return err
		}
	}
	out := cmd.OutOrStdout()
	return o.Text(out, terminalOf(out))
}

// picture is the only curve of one report.
func picture(r report.Report) report.Overlay {
	return report.Overlay{{Name: cmp.Or(r.Scenario.Name, "load test"), Report: r}}
}
