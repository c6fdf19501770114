package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what a run was made on, and when, and of what.
type machine struct {
	cpu      string
	cores    int
	load     float64 // average of the minute before the start
	date     string
	commit   string
	postgres string
}

// quiet is the highest load average at which the machine counts as our own.
const quiet = 1.0

func describeMachine() machine {
	return machine{
		cpu: cpuModel(readFile("/proc/cpuinfo")), cores: runtime.NumCPU(), load: parseLoadAverage(readFile("/proc/loadavg")),
		date: time.Now().UTC().Format(time.DateOnly), commit: commit(),
	}
}

func (m *machine) askDatabase(ctx context.Context, b *bed) error {
	return b.query(ctx, "show server_version", nil, &m.postgres)
}

// String is the paragraph of the report that says what the figures are of.
func (m machine) String() string {
	made := runtime.Version()
	if m.postgres != "" {
		made += ", PostgreSQL " + m.postgres
	}
	text := fmt.Sprintf("%s, commit %s, %s, on %d cores (%s), load average %.2f at the start.\n", m.date, m.commit, made, m.cores, m.cpu, m.load)
	if m.load > quiet {
		text += "**The machine was busy with something else: do not take these figures for Slipstream's.**\n"
	}
	return text
}

// readFile gives what a report can do without.
func readFile(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(b)
}

func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH // ARM's has no names
}

func parseLoadAverage(loadavg string) float64 {
	first, _, _ := strings.Cut(loadavg, " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}

// commit is what is checked out, with "-dirty" when files are changed; the report itself does not count.
func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(head))
	changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no", "--", ":/", ":!/docs/benchmarks.md").Output()
	if err != nil || len(changed) > 0 {
		name += "-dirty"
	}
	return name
}
