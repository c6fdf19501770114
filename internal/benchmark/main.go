package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
)

// options are the command line.
type options struct {
	program string
	data    string
	out     string
	rounds  int
	seconds int
	stream  bool
	inserts bool
	bulk    bool
	cache   bool
	load    bool
	// overload with and without protection; hold is how long it lasts, 0 for what the scenario says.
	overload bool
	hold     time.Duration
	profile  string
	strict   bool
	// What no flag changes.
	scenarios []scenario
	rows      keyRange      // of shop.bench_key, for what reads and writes
	hurry     bool          // with phases of a second, by which nothing is measured
	settle    time.Duration // after the last request, before the memory is read that the server goes on with
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{scenarios: scenarios(), rows: keyRange{100000, 199999}, settle: 5 * time.Second}
	f := flag.NewFlagSet("benchmark", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.program, "server", "bin/slipstream", "`PROGRAM` to measure")
	f.StringVar(&o.data, "data", ".slipstream/bench", "`DIR` of the private PostgreSQL; kept for the next run")
	f.StringVar(&o.out, "out", "docs/benchmarks.md", "`FILE` to write the report to; none when empty")
	f.IntVar(&o.rounds, "rounds", 5, "rounds of each scenario")
	f.IntVar(&o.seconds, "seconds", 5, "seconds of each side in a round")
	f.BoolVar(&o.stream, "stream", false, "measure streams of a gigabyte instead")
	f.BoolVar(&o.inserts, "inserts", false, "measure instead what inserts gain by sharing transactions")
	f.BoolVar(&o.bulk, "bulk", false, "measure instead inserts of 100,000 rows in one request")
	f.BoolVar(&o.cache, "cache", false, "measure instead what the cache answers, beside others")
	f.BoolVar(&o.load, "load", false, "measure instead the load generator of slipstream bench, beside wrk")
	f.BoolVar(&o.overload, "overload", false, "measure instead three times as many requests as the database can do, with and without protection")
	f.DurationVar(&o.hold, "hold", 0, "how long -overload lasts (default 1m)")
	f.StringVar(&o.profile, "profile", "", "only load the server with all scenarios in turn, and write its CPU profile to `FILE`")
	only := f.String("only", "", "measure just the scenarios whose names contain `TEXT`, and write no report")
	f.BoolVar(&o.strict, "strict", false, "end with exit code 1 when a target is missed")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.rounds < 1 || o.seconds < 1 {
		f.Usage()
		return o, errors.New("wants flags only; rounds and seconds of 1 or more")
	}
	if *only != "" {
		o.out = ""
		o.scenarios = slices.DeleteFunc(o.scenarios, func(s scenario) bool { return !strings.Contains(s.name, *only) })
	}
	if len(o.scenarios) == 0 {
		return o, fmt.Errorf("no scenario's name contains %q", *only)
	}
	return o, nil
}

func main() {
	if host := os.Getenv(answeringAt); host != "" {
		fmt.Fprintln(os.Stderr, "benchmark:", answerAt(host))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(2)
	}
	if err := start(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
}

// start runs the benchmark on a private cluster with the whole sample.
func start(ctx context.Context, o options, out, progress io.Writer) (err error) {
	about := describeMachine() // before this program itself is part of the load
	if about.load > quiet {
		fmt.Fprintf(progress, "WARNING: the load average is %.2f: what else runs here takes its share of the figures\n", about.load)
	}
	if o.load { // which needs no database
		r, err := measureLoad(ctx, o, time.Duration(o.seconds)*time.Second, progress)
		if err != nil {
			return err
		}
		return publish(o, r, about, out)
	}
	cluster, err := startCluster(ctx, o.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopCluster(ctx, cluster)) }()
	b, err := newBed(ctx, cluster, 1, progress)
	if err != nil {
		return err
	}
	if err := about.askDatabase(ctx, b); err != nil {
		return err
	}
	return benchmark(ctx, o, b, about, out, progress)
}

// errMissed is the end of a strict run that missed a target.
var errMissed = errors.New("a target was missed")

// benchmark measures and reports.
func benchmark(ctx context.Context, o options, b *bed, about machine, out, progress io.Writer) error {
	var r report
	var err error
	switch {
	case o.profile != "":
		return withRun(ctx, o, b, progress, func(r *run) error { return r.writeProfile(ctx) })
	case o.inserts:
		r, err = measureInserts(ctx, o, b, progress)
	case o.bulk:
		r, err = measureBulk(ctx, o, b, bulkRows, progress)
	case o.cache:
		r, err = measureCache(ctx, o, b, progress)
	case o.overload:
		r, err = measureOverload(ctx, o, b, progress)
	case o.stream:
		r, err = measureStreams(ctx, o, b, gigabyte, progress)
	default:
		r, err = measureRates(ctx, o, b, progress)
	}
	if err != nil {
		return err
	}
	return publish(o, r, about, out)
}

// publish writes a report to out and into the document.
func publish(o options, r report, about machine, out io.Writer) error {
	text := about.String() + "\n" + r.text
	fmt.Fprint(out, "\n", text)
	if o.out != "" {
		if err := updateDocument(o.out, r.section, text); err != nil {
			return err
		}
	}
	if o.strict && !r.reached {
		return errMissed
	}
	return nil
}

// measureRates compares Slipstream with pgbench.
func measureRates(ctx context.Context, o options, b *bed, progress io.Writer) (report report, err error) {
	err = withRun(ctx, o, b, progress, func(r *run) error {
		results, err := r.all(ctx)
		if err != nil {
			return err
		}
		select {
		case <-time.After(o.settle):
		case <-ctx.Done():
			return ctx.Err()
		}
		rss, err := r.server.rss()
		report = ratesReport(o, r.wrk.version(ctx), results, rss)
		return err
	})
	return report, err
}

// withRun starts a server on the bed for f.
func withRun(ctx context.Context, o options, b *bed, progress io.Writer, f func(*run) error) (err error) {
	dir, err := os.MkdirTemp("", "slipstream-benchmark-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &run{options: o, bed: b, progress: progress}
	if r.wrk, err = newWrk(dir); err != nil {
		return err
	}
	if r.pgbench, err = newPgbench(ctx, b, dir); err != nil {
		return err
	}
	if r.server, err = startServer(ctx, o.program, b, shop.Schema); err != nil {
		return err
	}
	defer r.server.stop()
	return f(r)
}
