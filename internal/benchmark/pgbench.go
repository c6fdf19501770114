package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// pgbench runs scripts with PostgreSQL's own benchmark.
type pgbench struct {
	program string
	dsn     string
	dir     string // for the scripts
}

// newPgbench finds pgbench beside the server's programs, or in PATH.
func newPgbench(ctx context.Context, b *bed, dir string) (pgbench, error) {
	p := pgbench{dsn: b.dsn, dir: dir}
	var bin string
	if err := b.query(ctx, "select setting from pg_config where name = 'BINDIR'", nil, &bin); err != nil {
		return p, err
	}
	for _, name := range []string{filepath.Join(bin, "pgbench"), "pgbench"} {
		if found, err := exec.LookPath(name); err == nil {
			p.program = found
			return p, nil
		}
	}
	return p, fmt.Errorf("no pgbench in %s or PATH: install it (it is in PostgreSQL's contrib package on some systems)", bin)
}

// rate runs the script for so many seconds with as many clients as Slipstream has connections, and gives transactions
// per second.
func (p pgbench) rate(ctx context.Context, s pgbenchScript, seconds int) (float64, error) {
	out, err := p.run(ctx, s, "-c", strconv.Itoa(connections), "-j", "2", "-T", strconv.Itoa(seconds))
	if err != nil {
		return 0, err
	}
	return parseTPS(out)
}

func (p pgbench) run(ctx context.Context, s pgbenchScript, options ...string) (string, error) {
	file := filepath.Join(p.dir, "script.sql")
	if err := os.WriteFile(file, []byte(s.text), 0o600); err != nil {
		return "", err
	}
	args := append([]string{"-n", "-M", "prepared", "-f", file}, options...)
	for i, value := range s.constants {
		args = append(args, "-D", fmt.Sprintf("v%d=%s", i+1, value))
	}
	out, err := command(ctx, p.program, append(args, p.dsn)...)
	if err != nil {
		return "", fmt.Errorf("run pgbench: %w", err)
	}
	return out, nil
}

// command runs a program and gives its standard output; an error holds both outputs.
func command(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("%w:\n%s%s", err, &out, &complaints)
	}
	return out.String(), nil
}

var (
	tps    = regexp.MustCompile(`(?m)^tps = ([0-9.]+) \(without initial connection time\)$`)
	failed = regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+)`)
)

// parseTPS reads pgbench's report. Older versions than 15 do not tell of failed transactions, but end at the first.
func parseTPS(report string) (float64, error) {
	if m := failed.FindStringSubmatch(report); m != nil && m[1] != "0" {
		return 0, fmt.Errorf("pgbench: %s transactions failed:\n%s", m[1], report)
	}
	m := tps.FindStringSubmatch(report)
	if m == nil {
		return 0, fmt.Errorf("no rate in pgbench's report:\n%s", report)
	}
	return strconv.ParseFloat(m[1], 64)
}
