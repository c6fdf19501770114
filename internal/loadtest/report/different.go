package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// differences says why reports are not of the same load. Targets may differ: they are what is compared.
func differences(before, after Report) []string {
	var list []string
	note := func(what string, a, b any) {
		if a != b {
			list = append(list, fmt.Sprintf("%s: %v and %v", what, a, b))
		}
	}
	if before.Scenario.Digest != "" && after.Scenario.Digest != "" && before.Scenario.Digest != after.Scenario.Digest {
		list = append(list, "the requests are others")
	}
	for _, r := range slices.Concat(before.Runs[1:], after.Runs) {
		first := before.Runs[0]
		note("protocol", first.Protocol, r.Protocol)
		note("open loop", first.Open, r.Open)
		note("phases", phasesOf(first), phasesOf(r))
		note("seed", first.Seed, r.Seed)
		note("shapes", namesOf(first.Shapes), namesOf(r.Shapes))
		note("groups", namesOf(first.Groups), namesOf(r.Groups))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func phasesOf(r *loadtest.Result) string {
	var list []string
	for _, p := range r.Phases {
		text := p.Phase.Name + " " + inSeconds(p.Phase.Duration)
		switch {
		case p.Phase.From != p.Phase.To:
			text += fmt.Sprintf(" from %s to %s/s", figure(p.Phase.From), figure(p.Phase.To))
		case p.Phase.From > 0:
			text += fmt.Sprintf(" at %s/s", figure(p.Phase.From))
		}
		if p.Phase.Steps > 0 {
			text += fmt.Sprintf(" in %d steps", p.Phase.Steps)
		}
		list = append(list, strings.TrimSpace(text))
	}
	return strings.Join(list, ", ")
}

func namesOf(rows []loadtest.Row) string {
	var list []string
	for _, r := range rows {
		list = append(list, r.Name)
	}
	return strings.Join(list, ", ")
}

// doubts are what a reader must know of reports that are of the same load.
func doubts(before, after Report) []string {
	var list []string
	for _, side := range []struct {
		name   string
		report Report
	}{{"before", before}, {"after", after}} {
		for i, r := range side.report.Runs {
			if r.Generator.Bottleneck != "" {
				list = append(list, fmt.Sprintf("The generator was the bottleneck %s, in run %d: differences may be its own. %s", side.name, i+1, r.Generator.Bottleneck))
				break
			}
		}
	}
	if before.Machine != after.Machine {
		list = append(list, fmt.Sprintf("The machines differ: %s before, %s after.", before.Machine, after.Machine))
	}
	if a, b := faulty(before.Runs), faulty(after.Runs); a != b {
		list = append(list, fmt.Sprintf("Connections were disturbed on purpose %d times before, %d times after.", a, b))
	}
	return list
}

func (m Machine) String() string {
	return fmt.Sprintf("%d cores, %s/%s, %s", m.Cores, m.OS, m.Arch, m.Go)
}

func faulty(runs []*loadtest.Result) (n int) {
	for _, r := range runs {
		n += len(r.Faults)
	}
	return n
}

func sentence(list []string) string { return strings.Join(list, "; ") }

// middle of an interval, counted from the start of its run.
func middle(i loadtest.Interval) time.Duration { return i.Start + i.Length/2 }

// warming says whether a time belongs to a warm-up.
func warming(r *loadtest.Result, at time.Duration) bool {
	return slices.ContainsFunc(r.Phases, func(p loadtest.PhaseRow) bool {
		return p.Phase.WarmUp && at >= p.Start && at < p.Start+p.Took
	})
}
