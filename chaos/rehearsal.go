package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// eventsKept is how many events a Rehearsal remembers.
const eventsKept = 10_000

// Rehearsal is a Scenario with its processes and proxies.
type Rehearsal struct {
	scenario  *Scenario
	options   Options
	proxies   map[string]*Proxy
	processes map[string]*Process

	mu     sync.Mutex
	events []Event
	told   uint64 // events so far, those forgotten too
}

// Options say who gets to know what happens.
type Options struct {
	// Logger gets what happens. Default: nobody.
	Logger *slog.Logger
	// Events gets it, too. It is called by several goroutines, and must not wait for proxies.
	Events func(Event)
	// Stderr is where processes write to that have no Output. Default: nowhere.
	Stderr io.Writer
}

// Open starts the processes, waits until they are ready, and opens the proxies with the faults that they have from the beginning.
// The timeline begins with Run.
func (s *Scenario) Open(ctx context.Context, o Options) (*Rehearsal, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Rehearsal{scenario: s, options: o, proxies: map[string]*Proxy{}, processes: map[string]*Process{}}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Rehearsal) open(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(r.scenario.Processes)) {
		config := r.scenario.Processes[name]
		config.Name, config.Logger, config.Events, config.Stderr = name, r.options.Logger, r.tell, r.options.Stderr
		process, err := config.Start(ctx)
		if process != nil {
			r.processes[name] = process
		}
		if err != nil {
			return err
		}
	}
	for i, name := range slices.Sorted(maps.Keys(r.scenario.Proxies)) {
		config := r.scenario.Proxies[name]
		config.Name, config.Logger, config.Events = name, r.options.Logger, r.tell
		config.Seed = mix(r.scenario.Seed, uint64(i)) //nolint:gosec // an index is not negative
		config.Protocol = cmp.Or(config.Protocol, r.protocol(name))
		proxy, err := config.Open()
		if err != nil {
			return fmt.Errorf("proxy %s: %w", name, err)
		}
		r.proxies[name] = proxy
	}
	return nil
}

// protocol is what a proxy must understand for the faults that are still to come.
func (r *Rehearsal) protocol(proxy string) Protocol {
	for i := range r.scenario.Timeline {
		if step := &r.scenario.Timeline[i]; step.Proxy == proxy && step.protocol() != "" {
			return step.protocol()
		}
	}
	return ""
}

// Run has the timeline happen, until ctx is done or the scenario's time is over, and closes everything.
func (r *Rehearsal) Run(ctx context.Context) error {
	if r.scenario.For > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, r.scenario.For)
		defer cancel()
	}
	var steps sync.WaitGroup
	var err error
	for i := range r.scenario.Timeline {
		step := &r.scenario.Timeline[i]
		if step.Process != "" {
			steps.Go(func() { r.runProcess(ctx, step) })
		} else if _, err = r.proxies[step.Proxy].Inject(step.Fault); err != nil {
			break
		}
	}
	if err == nil {
		<-ctx.Done()
	}
	err = errors.Join(err, r.Close())
	steps.Wait()
	return err
}

// runProcess does what a step says at its times. What does not succeed is an event, as what it is about may be dead.
func (r *Rehearsal) runProcess(ctx context.Context, step *Step) {
	process := r.processes[step.Process]
	do := map[string]func() error{
		doKill: process.Kill, doStop: process.Stop, doRestart: func() error { return process.Restart(ctx) },
	}[step.Do]
	undo := map[string]func() error{doKill: func() error { return process.Restart(ctx) }, doStop: process.Continue}[step.Do]
	attempt := func(f func() error) {
		if err := f(); err != nil && ctx.Err() == nil {
			process.tell(Failed, err.Error())
		}
	}
	window{step.At, step.For, step.Every}.run(ctx.Done(), func() { attempt(do) }, func() {
		if undo != nil && step.For > 0 && ctx.Err() == nil {
			attempt(undo)
		}
	})
}

// Close kills the processes that are left and closes the proxies.
func (r *Rehearsal) Close() error {
	var problems []error
	for _, p := range r.proxies {
		problems = append(problems, p.Close())
	}
	for _, p := range r.processes {
		problems = append(problems, p.Close())
	}
	return errors.Join(problems...)
}

// Proxy is the one of that name, or nil.
func (r *Rehearsal) Proxy(name string) *Proxy { return r.proxies[name] }

// Process is the one of that name, or nil.
func (r *Rehearsal) Process(name string) *Process { return r.processes[name] }

// Proxies are all, by name.
func (r *Rehearsal) Proxies() []*Proxy {
	return slices.SortedFunc(maps.Values(r.proxies), func(a, b *Proxy) int { return cmp.Compare(a.Name(), b.Name()) })
}

// Events are the last 10,000, the oldest first, after the first n of all; and how many there were in all.
func (r *Rehearsal) Events(n uint64) ([]Event, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	forgotten := r.told - uint64(len(r.events))
	skip := min(max(n, forgotten)-forgotten, uint64(len(r.events)))
	return slices.Clone(r.events[skip:]), r.told
}

func (r *Rehearsal) tell(e Event) {
	r.mu.Lock()
	r.told++
	if len(r.events) >= eventsKept {
		r.events = slices.Delete(r.events, 0, eventsKept/10) // some at once, so that it is done seldom
	}
	r.events = append(r.events, e)
	r.mu.Unlock()
	if r.options.Events != nil {
		r.options.Events(e)
	}
}
