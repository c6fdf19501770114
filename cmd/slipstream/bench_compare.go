package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/loadtest/report"
)

// compareWith shows what has changed. What has become worse than is allowed is an error.
func (f *benchFlags) compareWith(out io.Writer, before, after report.Report) error {
	limit, err := share(f.compare.maxRegression)
	if err != nil {
		return err
	}
	c, err := report.Compare(before, after, report.Options{MaxRegression: limit, AllowDifferent: f.compare.any})
	switch {
	case errors.Is(err, report.ErrDifferent):
		return fmt.Errorf("compare with %s: %w; --compare-any compares them nevertheless", f.compare.before, err)
	case err != nil:
		return fmt.Errorf("compare with %s: %w", f.compare.before, err)
	}
	if f.compare.markdown {
		err = c.Markdown(out)
	} else {
		err = c.Text(out, terminalOf(out))
	}
	if err != nil || !c.Failed() {
		return err
	}
	var worse []string
	for _, l := range c.Lines {
		if l.Failed {
			worse = append(worse, l.Part+" "+l.Metric)
		}
	}
	return fmt.Errorf("worse than in %s by more than %s: %s", f.compare.before, f.compare.maxRegression, strings.Join(worse, ", "))
}

// share reads 10%, or 0.1.
func share(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if percent {
		n /= 100
	}
	if err != nil || !(n > 0 && n < 100) {
		return 0, usagef("--max-regression %s is no share; write one such as 10%%", text)
	}
	return n, nil
}
