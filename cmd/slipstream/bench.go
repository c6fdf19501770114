package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/slipstream-go/slipstream/internal/loadtest/scenario"
)

// benchFlags are the command line of slipstream bench.
type benchFlags struct {
	// url is what is sent where a URL is named; rate is empty for its default, or for a closed loop.
	url scenario.Options
	// over goes before what a scenario says.
	over struct {
		target         string
		arrivals, http string
		insecure       bool
	}
	repeat int
	knee   struct {
		find bool
		slo  string
		step time.Duration
	}
	out struct {
		json, html, svg, record string
	}
	compare struct {
		before        string
		maxRegression string
		markdown, any bool
	}
	chaos string
}

const benchLong = `Send requests to an HTTP service at the times at which they are to be sent, whatever the service does, and report the
latency, which counts from these times: what a stall keeps from being sent is not left out.

What is named is a URL, a scenario file with variables, phases and weighted requests, or the report of a run (.json) to
show or compare again. Several reports are shown together, with a curve of each in one picture.

  slipstream bench http://127.0.0.1:3000/products?id=eq.5 --rate 2000 --duration 30s
  slipstream bench shop.yaml --html report.html --json report.json
  slipstream bench shop.yaml --find-knee --slo p99=50ms
  slipstream bench shop.yaml --repeat 5 --compare before.json --max-regression 10%
  slipstream bench with.json without.json --html both.html --svg both.svg
  slipstream bench --record access.log shop.yaml`

func benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench URL | SCENARIO.yaml | REPORT.json…",
		Short: "Load an HTTP service at a steady rate, find its limit, or hold it to what it was",
		Long:  benchLong,
	}
	f.add(cmd)
	cmd.RunE = f.run
	return cmd
}

func (f *benchFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	u := &f.url
	flags.StringVarP(&u.Rate, "rate", "r", "", "`REQUESTS` a second of a URL, or from..to, such as 100..2000 (default 100)")
	flags.DurationVarP(&u.Duration, "duration", "d", 10*time.Second, "how long to load a URL")
	flags.DurationVar(&u.WarmUp, "warm-up", 0, "how long to do so before without counting")
	flags.IntVar(&u.Steps, "steps", 0, "go from the first rate to the last in so many equal steps, not in a straight line")
	flags.IntVarP(&u.Connections, "connections", "c", 0, "instead of a rate, send one request after the other on so many connections (a closed loop)")
	flags.StringVarP(&u.Method, "method", "X", "", "`METHOD` (default GET, or POST with a body)")
	flags.StringArrayVarP(&u.Headers, "header", "H", nil, "`HEADER`, such as 'Accept: text/csv'; may be repeated")
	flags.StringVar(&u.Body, "body", "", "`TEXT` of the body")
	flags.StringVar(&u.BodyFile, "body-file", "", "`FILE` with the body")
	flags.StringArrayVar(&u.Variables, "variable", nil, "`VARIABLE` as in a scenario, such as 'id: {zipf: 1000}', for ${id} in the URL, headers and body; may be repeated")
	flags.StringSliceVar(&u.Status, "status", nil, "`STATUS` that is right, such as 200, 2xx or 200-299; may be repeated (default 200-399)")
	flags.StringVar(&u.Contains, "contains", "", "`TEXT` that the body of an answer must have in it")

	flags.StringVar(&f.over.target, "target", "", "`URL` of a scheme and a host to send a scenario's requests to")
	flags.Uint64Var(&u.Seed, "seed", 0, "`NUMBER` that makes another sequence of requests and times of it; the same one repeats them")
	flags.StringVar(&f.over.arrivals, "arrivals", "", "how requests are spaced: `poisson` (default) or even")
	flags.IntVar(&u.MaxConnections, "max-connections", 0, "most connections at a rate (default 1000)")
	flags.StringVar(&f.over.http, "http", "", "`VERSION` of HTTP: 1.1 (default) or 2")
	flags.BoolVar(&f.over.insecure, "insecure", false, "trust whatever certificate")
	flags.DurationVar(&u.Timeout, "timeout", 0, "how long an answer may take (default 10s)")

	flags.IntVar(&f.repeat, "repeat", 1, "how `OFTEN` to run it; from four times on, a comparison can tell a change from noise best")
	flags.BoolVar(&f.knee.find, "find-knee", false, "raise the rate until the service no longer keeps --slo, and find where that is")
	flags.StringVar(&f.knee.slo, "slo", "p99=100ms,errors=0.1%", "`OBJECTIVE` for --find-knee")
	flags.DurationVar(&f.knee.step, "step", 5*time.Second, "how long --find-knee holds each rate")
	flags.StringVar(&f.chaos, "chaos", "", "`SCENARIO` of slipstream chaos to run meanwhile; the plots show its faults")

	flags.StringVar(&f.out.json, "json", "", "`FILE` for the report as JSON, to compare with later")
	flags.StringVar(&f.out.html, "html", "", "`FILE` for the report as a page with plots")
	flags.StringVar(&f.out.svg, "svg", "", "`FILE` for a picture of goodput and p99 over time, which can stand in Markdown")
	flags.StringVar(&f.compare.before, "compare", "", "`REPORT` (JSON) of before; exit code 1 if something has become worse")
	flags.StringVar(&f.compare.maxRegression, "max-regression", "10%", "by how much it may with --compare")
	flags.BoolVar(&f.compare.markdown, "markdown", false, "print the comparison as Markdown, for a page of CI")
	flags.BoolVar(&f.compare.any, "compare-any", false, "compare also with a report of other requests or rates")
	flags.StringVar(&f.out.record, "record", "", "write a scenario made of this access `LOG` of Slipstream, or HAR, instead")
	for _, name := range []string{"repeat", "compare", "chaos"} {
		cmd.MarkFlagsMutuallyExclusive("find-knee", name)
	}
}
