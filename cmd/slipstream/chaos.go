package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipstream-go/slipstream/chaos"
)

// proxyName is the name of the proxy that flags make.
const proxyName = "proxy"

// chaosFlags are those of "slipstream chaos".
type chaosFlags struct {
	proxy    chaos.ProxyConfig
	faults   []string
	seed     uint64
	length   time.Duration
	api      string
	anywhere bool
	json     bool
	quiet    bool
}

func chaosCommand() *cobra.Command {
	var f chaosFlags
	cmd := &cobra.Command{
		Use:   "chaos [SCENARIO]",
		Short: "Break connections to a server on purpose, to see what becomes of its clients",
		Long: "Forward connections from --listen to --upstream and do to them what the other flags say, or have happen what a scenario\n" +
			"(a YAML file) says, until Ctrl-C. Nothing is touched but what goes through it, and processes that the scenario has it start.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("there can be one scenario, so %q is one too many; see %s --help", args[1], cmd.CommandPath())
			}
			return nil
		},
	}
	f.add(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		scenario, err := f.load(args)
		if err != nil {
			return err
		}
		ctx, release := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer release()
		context.AfterFunc(ctx, release) // a second signal has its default effect, which is to end the process
		return f.run(ctx, scenario, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

func (f *chaosFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.proxy.Listen, "listen", "", "`ADDRESS` to listen at (default: a free port of 127.0.0.1)")
	flags.StringVar(&f.proxy.Upstream, "upstream", "", "`ADDRESS` to forward to, or the path of a Unix socket")
	for _, k := range []struct{ kind, value, doc string }{
		{"latency", "DURATION", "delay what goes to the client, such as 50ms±20ms or 50ms+-20ms"},
		{"bandwidth", "RATE", "bytes a second for each connection and direction, such as 64KiB/s"},
		{"slow-open", "DURATION", "wait before the upstream is connected to"},
		{"corrupt", "PERCENT", "flip a bit in so many of the bytes"},
		{"truncate", "SIZE", "end connections after so many bytes to the client"},
	} {
		flags.Var(&faultFlag{&f.faults, k.kind + ": %s", k.value}, k.kind, k.doc)
	}
	flags.Var(&faultFlag{&f.faults, "reset: true, probability: %s", "PERCENT"}, "reset", "reset so many of the connections as they are opened, such as 1%")
	for _, k := range []struct{ kind, doc string }{
		{"refuse", "close connections at once; --refuse=5% some of them"},
		{"blackhole", "accept connections and never answer; --blackhole=5% some of them"},
		{"half-open", "close the upstream's side and do not tell the client; --half-open=5% on some of them"},
	} {
		flags.Var(&faultFlag{&f.faults, k.kind + ": true, probability: %s", "PERCENT"}, k.kind, k.doc)
		flags.Lookup(k.kind).NoOptDefVal = "100%"
	}
	flags.Var(&faultFlag{&f.faults, "%s", "FAULT"}, "fault",
		"any fault as in a scenario, such as 'cut: {before: CommandComplete, tag: COMMIT}, probability: 5%'; may be repeated")
	flags.Uint64Var(&f.seed, "seed", 0, "`NUMBER` that makes what is random another thing")
	flags.DurationVar(&f.length, "for", 0, "end after this `DURATION`")
	flags.StringVar(&f.api, "api", "", "`ADDRESS` of loopback for the control API, such as 127.0.0.1:8474")
	flags.BoolVar(&f.anywhere, "api-anywhere", false, "let --api be reachable from elsewhere: whoever reaches it can break connections and kill processes")
	flags.BoolVar(&f.json, "json", false, "print events as lines of JSON")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no events, only the counts at the end")
}

// faultFlag collects faults, in the words of scenario files.
type faultFlag struct {
	faults *[]string
	form   string
	value  string
}

func (f *faultFlag) Set(text string) error {
	fault := fmt.Sprintf(f.form, text)
	if _, err := chaos.ParseFault(fault); err != nil {
		if _, problem, ok := strings.Cut(err.Error(), ": "); ok && fault != text {
			return errors.New(problem) // the place in what was made of the flag is of no use
		}
		return err
	}
	*f.faults = append(*f.faults, fault)
	return nil
}

func (f *faultFlag) String() string { return "" }

// Type is what --help shows behind the flag.
func (f *faultFlag) Type() string { return f.value }

// load reads the scenario, or makes one of the flags.
func (f *chaosFlags) load(args []string) (*chaos.Scenario, error) {
	if f.length < 0 {
		return nil, usagef("--for is %v; give more than 0, such as 1m, or leave it out", f.length)
	}
	if len(args) == 1 {
		if f.proxy.Upstream != "" || f.proxy.Listen != "" || len(f.faults) > 0 {
			return nil, usagef("proxies and faults come from %s, so --listen, --upstream and those for faults have no place beside it", args[0])
		}
		scenario, err := chaos.Load(args[0])
		if err != nil {
			return nil, err
		}
		scenario.Seed, scenario.For = cmp.Or(f.seed, scenario.Seed), cmp.Or(f.length, scenario.For)
		return scenario, nil
	}
	if f.proxy.Upstream == "" {
		return nil, usagef("it is not clear what to forward to; give --upstream, such as 127.0.0.1:5432, or a scenario")
	}
	for _, text := range f.faults {
		fault, err := chaos.ParseFault(text)
		if err != nil {
			return nil, err
		}
		f.proxy.Faults = append(f.proxy.Faults, fault)
	}
	return &chaos.Scenario{Seed: f.seed, For: f.length, Proxies: map[string]chaos.ProxyConfig{proxyName: f.proxy}}, nil
}

// run has a scenario happen, and prints what does.
func (f *chaosFlags) run(ctx context.Context, scenario *chaos.Scenario, stdout, stderr io.Writer) error {
	out := &eventWriter{out: stdout, began: time.Now(), json: f.json, quiet: f.quiet}
	rehearsal, err := scenario.Open(ctx, chaos.Options{Events: out.event, Stderr: stderr})
	if err != nil {
		return err
	}
	if f.api != "" {
		addr, stop, err := rehearsal.ServeAPI(ctx, f.api, f.anywhere)
		if err != nil {
			_ = rehearsal.Close() // the API is the news
			return err
		}
		defer stop()
		out.line("The control API is at http://%s", addr)
	}
	for _, p := range rehearsal.Proxies() {
		out.line("%s forwards %s to %s", p.Name(), p.Addr(), p.Upstream())
	}
	err = rehearsal.Run(ctx)
	out.summary(rehearsal)
	return err
}

// eventWriter prints events, of which several goroutines tell.
type eventWriter struct {
	out         io.Writer
	began       time.Time
	json, quiet bool
	mu          sync.Mutex
}

// line prints something for people.
func (w *eventWriter) line(format string, args ...any) {
	if w.json {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.out, format+"\n", args...)
}

func (w *eventWriter) event(e chaos.Event) {
	switch {
	case w.quiet:
	case w.json:
		w.mu.Lock()
		defer w.mu.Unlock()
		_ = json.NewEncoder(w.out).Encode(e) // nobody is left to tell
	default:
		text := fmt.Sprintf("%8.3f s  %-8s %s", e.Time.Sub(w.began).Seconds(), e.Action, cmp.Or(e.Proxy, e.Process))
		if e.Fault != "" {
			text += " " + e.Fault
		}
		if e.Connection != 0 {
			text += fmt.Sprintf(", connection %d from %s", e.Connection, e.Client)
		}
		if e.Detail != "" {
			text += ": " + e.Detail
		}
		w.line("%s", text)
	}
}

// summary prints how often each fault had an effect.
func (w *eventWriter) summary(r *chaos.Rehearsal) {
	if w.json {
		counts := map[string]map[string]uint64{}
		for _, p := range r.Proxies() {
			counts[p.Name()] = p.Counts()
		}
		_ = json.NewEncoder(w.out).Encode(map[string]any{"counts": counts}) // nobody is left to tell
		return
	}
	if len(r.Proxies()) == 0 {
		return
	}
	t := newTable()
	for _, p := range r.Proxies() {
		t.line(p.Name(), "%d connections", p.Connections())
		counts := p.Counts()
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			t.line("  "+name, "%d", counts[name])
		}
	}
	w.line("\n%s", t)
}
