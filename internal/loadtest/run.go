package loadtest

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"
)

// progressEvery is how often Load.Progress is called.
const progressEvery = 500 * time.Millisecond

// Run sends a load and returns what came of it, when the last answer is there. When ctx ends, it returns what there is by then,
// without an error; requests that were under way are counted as sent, and neither as good nor as errors. The only errors are
// Validate's.
func Run(ctx context.Context, l Load) (*Result, error) { return run(ctx, l, newAlarm) }

// engine is what a run consists of.
type engine struct {
	load     Load
	shapes   []Shape
	started  time.Time
	dialer   *dialer
	client   client
	dispatch dispatcher
	record   *recorder
	workers  sync.WaitGroup
	spawned  int // under dispatch's lock
}

func run(ctx context.Context, l Load, newAlarm func(context.Context) alarm) (*Result, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	e := newEngine(ctx, l.withDefaults())
	e.connect()
	cpu := cpuTime()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var watcher sync.WaitGroup
	if l.Progress != nil {
		watcher.Go(func() { e.watch(watching) })
	}
	e.pace(ctx, newAlarm(ctx))
	ended := e.now()
	cpu = cpuTime() - cpu
	e.dispatch.finish()
	e.workers.Wait()
	e.client.close()
	stop()
	watcher.Wait()
	return e.result(ended, cpu), nil
}

func newEngine(ctx context.Context, l Load) *engine {
	e := &engine{load: l, shapes: l.Source.Shapes(), started: time.Now()}
	e.dialer = &dialer{load: &e.load}
	if l.Protocol == HTTP2 {
		e.client = newHTTP2(e.dialer)
	} else {
		e.client = newHTTP1(e.dialer)
	}
	e.record = newRecorder(l.Phases, e.shapes, l.Progress != nil)
	e.dispatch.now, e.dispatch.opened.L = e.now, &e.dispatch.mu
	e.dispatch.spawn = func() {
		w := &worker{engine: e, shard: e.shard(e.spawned), jobs: make(chan job, 1)}
		e.spawned++
		e.workers.Go(func() { w.run(ctx) })
	}
	return e
}

// connect opens, before the run's time begins, the connections that its first rate needs if an answer takes 10 ms: to open them all
// at once while requests are due would make the first of them late. A phase without a rate opens its own.
func (e *engine) connect() {
	const answer = 0.010 // seconds
	e.dispatch.warm(min(int(math.Ceil(e.load.Phases[0].From*answer)), e.load.MaxConnections))
	e.dispatch.mu.Lock() // the workers have seen the time as well
	defer e.dispatch.mu.Unlock()
	e.started = time.Now()
}

func (e *engine) now() time.Duration { return time.Since(e.started) }

func (e *engine) shard(i int) *shard { return &e.record.shards[i%len(e.record.shards)] }

// pace announces requests when they are due, until the end of the last phase.
func (e *engine) pace(ctx context.Context, alarm alarm) {
	defer alarm.close()
	var number uint64
	for i, p := range e.load.Phases {
		begin, limit := e.record.begins[i], e.load.MaxConnections
		if p.Closed() {
			limit = e.load.Connections
		}
		times := newArrivals(p, e.load.Arrivals, e.load.Seed, uint64(i))
		number = e.dispatch.start(i, p, begin, times, limit, number)
		for at, more := times.next(); more; at, more = times.next() {
			alarm.until(e.started.Add(begin + at))
			if ctx.Err() != nil {
				return
			}
			number++
			e.record.add(e.shard(0), &sample{event: announced, phase: i, due: begin + at})
			e.dispatch.announce()
		}
		alarm.until(e.started.Add(begin + p.Duration))
		if ctx.Err() != nil {
			return
		}
	}
}

// watch reports progress until ctx ends.
func (e *engine) watch(ctx context.Context) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	last, lastSent := e.now(), uint64(0)
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		p, sent := e.progress()
		p.Achieved = float64(sent-lastSent) / (p.Elapsed - last).Seconds()
		e.load.Progress(p)
		last, lastSent = p.Elapsed, sent
	}
}

func (e *engine) progress() (p Progress, sent uint64) {
	now := e.now()
	p.Elapsed = now
	p.Since, p.Total = e.record.lap()
	sent, p.InFlight, p.Behind = e.dispatch.standing()
	for i, phase := range e.load.Phases {
		if begin := e.record.begins[i]; i == 0 || now >= begin {
			p.Phase, p.Offered = phase, phase.Rate(now-begin)
		}
		p.Whole += phase.Duration
	}
	return p, sent
}

func (e *engine) result(ended, cpu time.Duration) *Result {
	e.record.settle()
	r := e.record
	res := &Result{
		Target: e.load.Target.Redacted(), Protocol: "HTTP/1.1", Seed: e.load.Seed, Started: e.started,
		Took: r.lastDone, Shapes: r.shapeRows,
	}
	if e.load.Protocol == HTTP2 {
		res.Protocol = "HTTP/2"
	}
	if res.Took == 0 {
		res.Took = ended
	}
	var whole time.Duration
	for i, p := range e.load.Phases {
		res.Open = res.Open || !p.Closed()
		whole += p.Duration
		start := r.begins[i]
		res.Phases = append(res.Phases, PhaseRow{
			Row: r.phaseRows[i], Phase: p, Start: start, Took: min(max(0, ended-start), p.Duration),
		})
	}
	res.Total, res.Groups = r.totals(e.shapes)
	res.Series = r.series.until(min(ended, whole), e.load.Phases)
	res.Generator = Generator{
		Late: r.late, Waited: r.waited, Connections: uint64(e.dialer.most.Load()), Opened: e.dialer.opened.Load(),
		CPU: cpu, Cores: runtime.GOMAXPROCS(0),
	}
	res.Generator.Bottleneck = e.bottleneck(res, ended)
	return res
}
