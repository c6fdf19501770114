package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/report"
	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

// benchFlags are the command line of slipstream bench.
type benchFlags struct {
	url   urlFlags
	load  loadFlags
	knee  kneeFlags
	out   outFlags
	chaos string
}

// urlFlags say what is sent where a URL is named and no scenario.
type urlFlags struct {
	rate     string
	duration time.Duration
	warmUp   time.Duration
	steps    int
	closed   int
	method   string
	headers  []string
	body     string
	statuses []string
}

// loadFlags go before what a scenario says.
type loadFlags struct {
	target         string
	seed           uint64
	arrivals       string
	maxConnections int
	http           string
	insecure       bool
	timeout        time.Duration
	repeat         int
}

type kneeFlags struct {
	find bool
	slo  string
	step time.Duration
}

type outFlags struct {
	json, html    string
	compare       string
	maxRegression string
	markdown      bool
	record        string
}

const benchLong = `Send requests to an HTTP service at the times at which they are to be sent, whatever the service does, and report the
latency, which counts from these times: what a stall keeps from being sent is not left out.

What is named is a URL, a scenario file with variables, phases and weighted requests, or the report of a run (.json) to
show or compare again.

  slipstream bench http://127.0.0.1:3000/products?id=eq.5 --rate 2000 --duration 30s
  slipstream bench shop.yaml --html report.html --json report.json
  slipstream bench shop.yaml --find-knee --slo p99=50ms
  slipstream bench shop.yaml --repeat 5 --compare before.json --max-regression 10%
  slipstream bench --record access.log > shop.yaml`

func benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench URL | SCENARIO.yaml | REPORT.json",
		Short: "Load an HTTP service at a steady rate, find its limit, or hold it to what it was",
		Long:  benchLong,
	}
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return f.run(ctx, cmd, args)
	}
	return cmd
}

func (f *benchFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	u := &f.url
	flags.StringVarP(&u.rate, "rate", "r", "100", "`REQUESTS` a second, or from..to, such as 100..2000")
	flags.DurationVarP(&u.duration, "duration", "d", 10*time.Second, "how long")
	flags.DurationVar(&u.warmUp, "warm-up", 0, "how long to send at the first rate before, without counting")
	flags.IntVar(&u.steps, "steps", 0, "go from the first rate to the last in so many equal steps, not in a straight line")
	flags.IntVarP(&u.closed, "connections", "c", 0, "send on so many connections, one request after the other on each (a closed loop), instead of at a rate")
	flags.StringVarP(&u.method, "method", "X", "", "`METHOD` (default GET, or POST with a body)")
	flags.StringArrayVarP(&u.headers, "header", "H", nil, "`HEADER`, such as 'Accept: text/csv'; may be repeated")
	flags.StringVar(&u.body, "body", "", "`TEXT` of the body, or @FILE")
	flags.StringSliceVar(&u.statuses, "expect", nil, "`STATUS` that is right, or a range such as 200-299; may be repeated (default 200-399)")
	l := &f.load
	flags.StringVar(&l.target, "target", "", "`URL` to send a scenario's requests to, instead of its own target")
	flags.Uint64Var(&l.seed, "seed", 0, "`NUMBER` that makes another sequence of requests and times of it; the same one repeats them")
	flags.StringVar(&l.arrivals, "arrivals", "", "how requests are spaced: `poisson` (default) or even")
	flags.IntVar(&l.maxConnections, "max-connections", 0, "most connections of an open loop (default 1000)")
	flags.StringVar(&l.http, "http", "", "`VERSION` of HTTP: 1.1 (default) or 2")
	flags.BoolVar(&l.insecure, "insecure", false, "trust any certificate")
	flags.DurationVar(&l.timeout, "timeout", 0, "how long an answer may take (default 10s)")
	flags.IntVar(&l.repeat, "repeat", 1, "how often to run it all; five times and more tell changes from noise best")
	k := &f.knee
	flags.BoolVar(&k.find, "find-knee", false, "raise the rate until the service no longer does what --slo says, and find where that is")
	flags.StringVar(&k.slo, "slo", "p99=100ms,errors=0.1%", "`OBJECTIVE` of --find-knee")
	flags.DurationVar(&k.step, "step", 5*time.Second, "how long each rate of --find-knee is held")
	o := &f.out
	flags.StringVar(&o.json, "json", "", "`FILE` for the report as JSON, to compare with later")
	flags.StringVar(&o.html, "html", "", "`FILE` for the report as a page with plots")
	flags.StringVar(&o.compare, "compare", "", "`REPORT` (JSON) of before; exit code 1 if something is worse now")
	flags.StringVar(&o.maxRegression, "max-regression", "10%", "by how much something may be worse than in --compare")
	flags.BoolVar(&o.markdown, "markdown", false, "print the comparison as a table in Markdown")
	flags.StringVar(&o.record, "record", "", "make a scenario of this access `LOG` of Slipstream, or HAR, and print it")
	flags.StringVar(&f.chaos, "chaos", "", "`SCENARIO` of slipstream chaos to run meanwhile; its faults are in the plots")
	for group, names := range map[string][]string{"find-knee": {"repeat", "compare", "chaos"}} {
		for _, name := range names {
			cmd.MarkFlagsMutuallyExclusive(group, name)
		}
	}
}
