package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed request.lua
var requestScript []byte

// clients is how many connections wrk keeps busy.
const clients = 32

// wrk loads a server over HTTP.
type wrk struct {
	program string
	dir     string // for scripts and templates
	clients int    // connections that are kept busy
}

func newWrk(dir string) (wrk, error) {
	program, err := exec.LookPath("wrk")
	if err != nil {
		return wrk{}, fmt.Errorf("wrk is not installed: run scripts/deps.sh wrk")
	}
	w := wrk{program: program, dir: dir, clients: clients}
	return w, os.WriteFile(w.file("request.lua"), requestScript, 0o600)
}

// version is what wrk calls itself, such as "wrk 4.2.0".
func (w wrk) version(ctx context.Context) string {
	out, _ := exec.CommandContext(ctx, w.program, "-v").CombinedOutput() // ends with 1 always
	name, _, _ := strings.Cut(string(out), " [")
	return strings.TrimSpace(name)
}

func (w wrk) file(name string) string { return filepath.Join(w.dir, name) }

// load is what one run of wrk saw.
type load struct {
	requests int
	rate     float64 // requests per second
	p50, p99 time.Duration
}

// run sends requests of a scenario for so many seconds. Any answer but a success is an error.
func (w wrk) run(ctx context.Context, s *server, sc scenario, keys keyRange, seconds, seed int) (load, error) {
	args := []string{
		"-t1", "-c", strconv.Itoa(w.clients), "-d", strconv.Itoa(seconds) + "s", "--timeout", "10s", "--latency",
		"-s", w.file("request.lua"), "http://" + s.host, "--",
		w.file("template"), strconv.Itoa(seed), strconv.Itoa(keys.low), strconv.Itoa(keys.high),
	}
	if sc.asCustomer {
		args = append(args, w.file("tokens"))
	}
	if err := w.prepare(s, sc, keys); err != nil {
		return load{}, err
	}
	out, err := command(ctx, w.program, args...)
	if err != nil {
		return load{}, fmt.Errorf("run wrk: %w", err)
	}
	return parseLoad(out)
}

// prepare writes the files that request.lua reads.
func (w wrk) prepare(s *server, sc scenario, keys keyRange) error {
	if err := os.WriteFile(w.file("template"), []byte(template(s.host, sc)), 0o600); err != nil {
		return err
	}
	var tokens strings.Builder
	if sc.asCustomer {
		for key := keys.low; key <= keys.high; key++ {
			tokens.WriteString(token(s.secret, key) + "\n")
		}
	}
	return os.WriteFile(w.file("tokens"), []byte(tokens.String()), 0o600)
}

// template is the text of a scenario's request, keyMark in place of the key or of the token.
func template(host string, sc scenario) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", sc.verb(), sc.path, host)
	header := sc.header()
	if sc.asCustomer {
		header.Set("Authorization", "Bearer "+keyMark)
	}
	if sc.body != "" {
		header.Set("Content-Length", strconv.Itoa(len(sc.bodyOf(100000))))
	}
	_ = header.Write(&b) // a strings.Builder takes everything
	b.WriteString("\r\n" + sc.body)
	return b.String()
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^ +([0-9]+) requests in `)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec: +([0-9.]+)$`)
	wrkLatency  = regexp.MustCompile(`(?m)^ +(50|99)% +([0-9.]+)(us|ms|s|m)$`)
	wrkProblem  = regexp.MustCompile(`(?m)^ +(Socket errors|Non-2xx or 3xx responses): .*$`)
)

// parseLoad reads wrk's report.
func parseLoad(report string) (load, error) {
	if problem := wrkProblem.FindString(report); problem != "" {
		return load{}, fmt.Errorf("wrk saw errors: %s", strings.TrimSpace(problem))
	}
	requests, rate := wrkRequests.FindStringSubmatch(report), wrkRate.FindStringSubmatch(report)
	latencies := wrkLatency.FindAllStringSubmatch(report, -1)
	if requests == nil || rate == nil || len(latencies) != 2 {
		return load{}, fmt.Errorf("cannot read wrk's report:\n%s", report)
	}
	var l load
	var err error
	if l.requests, err = strconv.Atoi(requests[1]); err != nil || l.requests == 0 {
		return l, fmt.Errorf("wrk made no requests:\n%s", report)
	}
	if l.rate, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return l, err
	}
	if l.p50, err = time.ParseDuration(latencies[0][2] + latencies[0][3]); err != nil {
		return l, err
	}
	l.p99, err = time.ParseDuration(latencies[1][2] + latencies[1][3])
	return l, err
}
