package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// What the load generator must reach, on one core.
const (
	leastSent       = 30000.0 // requests a second in a closed loop
	mostInaccuracy  = 0.05    // of a percentile
	mostLate        = time.Millisecond
	mostGrowthOfRSS = 32e6 // bytes, from the sixth part of a run to its end
)

const (
	delayedRate = 1000.0 // requests a second to a server that makes them wait
	steadyRate  = 5000.0 // requests a second while memory is looked at
)

// generated is what one generator sent to one server in a round.
type generated struct {
	load
	cpu time.Duration // of the generator, for one request
}

// accuracy is what was measured of a server beside what it says itself.
type accuracy struct {
	own, latency, truth [2]time.Duration // 50th and 99th percentile
}

// generators is what was measured of them.
type generators struct {
	servers []string
	wrk     map[string][]generated
	ours    map[string][]generated
	open    map[string]float64 // the highest rate that was sent in time
	told    accuracy
	early   int64 // resident memory in bytes after a sixth of a run
	late    int64 // and at its end
}

// loadRun is everything that a measurement of load generators needs.
type loadRun struct {
	options
	wrk      wrk
	dir      string
	length   time.Duration // of what this project's generator sends; wrk counts in whole seconds
	progress io.Writer
}

// measureLoad compares this project's load generator with wrk, on one core each.
func measureLoad(ctx context.Context, o options, length time.Duration, progress io.Writer) (result report, err error) {
	r := &loadRun{options: o, length: length, progress: progress}
	if r.dir, err = os.MkdirTemp("", "slipstream-benchmark-"); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	if r.wrk, err = newWrk(r.dir); err != nil {
		return result, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	g, err := r.all(ctx)
	if err != nil {
		return result, err
	}
	return loadReport(r, r.wrk.version(ctx), g), nil
}

func (r *loadRun) all(ctx context.Context) (g generators, err error) {
	g = generators{wrk: map[string][]generated{}, ours: map[string][]generated{}, open: map[string]float64{}}
	nginx, err := startConstantNginx(ctx, r.dir)
	if err != nil {
		return g, err
	}
	defer nginx.stop()
	bare, err := startAnswering(ctx)
	if err != nil {
		return g, err
	}
	defer bare.stop()
	for _, s := range []side{{server: nginx, name: "nginx"}, {server: bare, name: "net/http"}} {
		g.servers = append(g.servers, s.name)
		if err := r.compare(ctx, s, &g); err != nil {
			return g, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if g.told, err = r.accuracy(ctx, bare); err != nil {
		return g, err
	}
	g.early, g.late, err = r.memory(ctx, nginx)
	return g, err
}

// compare has both generators send as much as they can in turn, and then finds how much ours can send in time.
func (r *loadRun) compare(ctx context.Context, s side, g *generators) error {
	for i := range r.rounds {
		theirs, err := r.wrk.plain(ctx, s.server, r.seconds)
		if err != nil {
			return err
		}
		res, err := r.send(ctx, s.server, "/", loadtest.Phase{})
		if err != nil {
			return err
		}
		ours := fromResult(res)
		g.wrk[s.name], g.ours[s.name] = append(g.wrk[s.name], theirs), append(g.ours[s.name], ours)
		fmt.Fprintf(r.progress, "%-8s round %d of %d: wrk %.0f/s, %.1f µs of CPU; slipstream bench %.0f/s, %.1f µs\n", s.name, i+1, r.rounds,
			theirs.rate, theirs.cpu.Seconds()*1e6, ours.rate, ours.cpu.Seconds()*1e6)
	}
	for rate := steadyRate; ; rate *= 1.2 {
		res, err := r.send(ctx, s.server, "/", loadtest.Phase{From: rate, To: rate})
		if err != nil {
			return err
		}
		late := time.Duration(res.Generator.Late.ValueAtQuantile(99)) * time.Microsecond
		fmt.Fprintf(r.progress, "%-8s open loop: %.0f/s of %.0f/s, 99 %% at most %v late\n", s.name, float64(res.Total.Sent)/r.length.Seconds(), rate, late)
		if late >= mostLate || float64(res.Total.Sent) < 0.98*float64(res.Total.Due) {
			return nil
		}
		g.open[s.name] = rate
	}
}

// send runs a phase of the usual length: a closed loop, if it has no rate.
func (r *loadRun) send(ctx context.Context, s *server, path string, p loadtest.Phase) (*loadtest.Result, error) {
	return r.sendWith(ctx, s, path, p, nil)
}

func (r *loadRun) sendWith(ctx context.Context, s *server, path string, p loadtest.Phase, progress func(loadtest.Progress)) (*loadtest.Result, error) {
	if p.Duration == 0 {
		p.Duration = r.length
	}
	res, err := loadtest.Run(ctx, loadtest.Load{
		Target: &url.URL{Scheme: "http", Host: s.host}, Source: repeating(path), Phases: []loadtest.Phase{p}, Connections: clients, Progress: progress,
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if len(res.Total.Errors) > 0 || res.Total.Good == 0 {
		return nil, fmt.Errorf("%d good answers, %v", res.Total.Good, res.Total.Errors)
	}
	return res, nil
}

func fromResult(res *loadtest.Result) generated {
	percentile := func(q float64) time.Duration {
		return time.Duration(res.Total.Latency.ValueAtQuantile(q)) * time.Microsecond
	}
	return generated{
		load: load{
			requests: int(res.Total.Sent), rate: float64(res.Total.Sent) / res.Took.Seconds(), p50: percentile(50), p99: percentile(99),
		},
		cpu: res.Generator.CPU / time.Duration(res.Total.Sent),
	}
}

// accuracy sends to a server that sleeps, and asks it for how long it has.
func (r *loadRun) accuracy(ctx context.Context, s *server) (a accuracy, err error) {
	res, err := r.send(ctx, s, delayed, loadtest.Phase{From: delayedRate, To: delayedRate})
	if err != nil {
		return a, err
	}
	said, err := get(ctx, "http://"+s.host+truth, nil)
	if err != nil {
		return a, err
	}
	for i, q := range []float64{50, 99} {
		var us [2]int64
		if _, err := fmt.Sscan(string(said.body), &us[0], &us[1]); err != nil {
			return a, fmt.Errorf("read %s: %w", truth, err)
		}
		a.truth[i] = time.Duration(us[i]) * time.Microsecond
		a.own[i] = time.Duration(res.Total.Own.ValueAtQuantile(q)) * time.Microsecond
		a.latency[i] = time.Duration(res.Total.Latency.ValueAtQuantile(q)) * time.Microsecond
	}
	return a, nil
}

// off is how far the worst percentile is from the truth, as a part of it.
func (a accuracy) off() float64 {
	worst := 0.0
	for i, truth := range a.truth {
		for _, measured := range []time.Duration{a.own[i], a.latency[i]} {
			worst = max(worst, math.Abs(measured.Seconds()/truth.Seconds()-1))
		}
	}
	return worst
}

// memory is how much this process has resident in the second of twelve parts of a run, and in the last.
func (r *loadRun) memory(ctx context.Context, s *server) (early, late int64, err error) {
	p := loadtest.Phase{Duration: 12 * r.length, From: steadyRate, To: steadyRate}
	var failure error
	_, err = r.sendWith(ctx, s, "/", p, func(p loadtest.Progress) {
		status, err := procFile(os.Getpid(), "status")
		if err == nil {
			late, err = parseMemory(status, "VmRSS:")
		}
		failure = errors.Join(failure, err)
		if early == 0 && p.Elapsed >= 2*r.length {
			early = late
		}
	})
	return early, late, errors.Join(err, failure)
}

// repeating is a source of one request.
type repeating string

func (repeating) Shapes() []loadtest.Shape { return []loadtest.Shape{{Name: "get"}} }

func (path repeating) Request(_ uint64, r *loadtest.Request) {
	r.Method, r.Path = http.MethodGet, append(r.Path[:0], path...)
}

// plain has wrk send GETs of the root, as fast as one thread can.
func (w wrk) plain(ctx context.Context, s *server, seconds int) (generated, error) {
	cmd := exec.CommandContext(ctx, w.program, "-t1", "-c", strconv.Itoa(w.clients), "-d", strconv.Itoa(seconds)+"s", "--latency", "http://"+s.host+"/")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return generated{}, fmt.Errorf("run wrk: %w:\n%s", err, out)
	}
	l, err := parseLoad(string(out))
	if err != nil {
		return generated{}, err
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return generated{load: l, cpu: cpu / time.Duration(l.requests)}, nil
}
