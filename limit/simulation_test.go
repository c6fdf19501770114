package limit_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// upstream does work in virtual time. Its cores are shared by all that is under way; with none, work only takes its time,
// as pg_sleep does.
type upstream struct {
	mu     sync.Mutex
	cores  float64
	active int
	frozen chan struct{} // nil: it is not
}

func (u *upstream) do(work time.Duration) {
	u.mu.Lock()
	u.active++
	if u.cores > 0 {
		work = time.Duration(float64(work) * max(1, float64(u.active)/u.cores))
	}
	frozen := u.frozen
	u.mu.Unlock()
	time.Sleep(work)
	if frozen != nil {
		<-frozen
	}
	u.mu.Lock()
	u.active--
	u.mu.Unlock()
}

// freeze lets nothing that begins now end, until the function that it returns is called.
func (u *upstream) freeze() (thaw func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.frozen = make(chan struct{})
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		close(u.frozen)
		u.frozen = nil
	}
}

// shape is a kind of work. The times vary by a third in both directions.
type shape struct {
	work     time.Duration
	weight   float64
	baseline *limit.Baseline
}

// load is open: requests are due at random times, whether or not those before are done.
type load struct {
	limiter  *limit.Limiter
	upstream *upstream
	shapes   []shape
	tiers    [4]float64    // what part of the requests each is
	patience time.Duration // of clients, and the longest that work may take
	random   *rand.Rand

	all  sync.WaitGroup
	mu   sync.Mutex
	done []result
}

// result is what came of a request.
type result struct {
	tier       limit.Tier
	due        time.Time
	wait, took time.Duration // for a permit; all in all
	err        error
}

// newLoad is a mix of fast and slow work.
func newLoad(l *limit.Limiter, u *upstream) *load {
	return &load{
		limiter: l, upstream: u, patience: 30 * time.Second, random: rand.New(rand.NewPCG(1, 2)),
		tiers: [4]float64{0.1, 0.4, 0.3, 0.2},
		shapes: []shape{
			{20 * time.Millisecond, 0.76, new(limit.Baseline)},
			{100 * time.Millisecond, 0.19, new(limit.Baseline)},
			{400 * time.Millisecond, 0.05, new(limit.Baseline)},
		},
	}
}

// rate is how many requests a second keep so many at work.
func (d *load) rate(atOnce float64) float64 {
	var mean float64
	for _, s := range d.shapes {
		mean += s.weight * s.work.Seconds()
	}
	return atOnce / mean
}

// slowed is the mix with work that takes longer, without anybody having been told.
func (d *load) slowed(factor float64) []shape {
	shapes := slices.Clone(d.shapes)
	for i := range shapes {
		shapes[i].work = time.Duration(factor * float64(shapes[i].work))
	}
	return shapes
}

// run sends rate requests a second for a time. It returns what is done by then, and was not returned before.
func (d *load) run(rate float64, span time.Duration) []result {
	for end := time.Now().Add(span); ; {
		time.Sleep(time.Duration(d.random.ExpFloat64() / rate * float64(time.Second)))
		if !time.Now().Before(end) {
			break
		}
		tier := limit.Tier(pick(d.random, d.tiers[:]...))
		s := d.shape()
		s.work = time.Duration((0.67 + 0.66*d.random.Float64()) * float64(s.work))
		priority := limit.Priority{Tier: tier, Cohort: uint8(d.random.IntN(128))}
		d.all.Go(func() { d.request(priority, s) })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	done := d.done
	d.done = nil
	return done
}

func (d *load) shape() shape {
	weights := make([]float64, len(d.shapes))
	for i := range weights {
		weights[i] = d.shapes[i].weight
	}
	return d.shapes[pick(d.random, weights...)]
}

// pick is i with the probability of weights[i].
func pick(r *rand.Rand, weights ...float64) int {
	x := r.Float64()
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func (d *load) request(priority limit.Priority, s shape) {
	r := result{tier: priority.Tier, due: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), d.patience)
	defer cancel()
	var p limit.Permit
	p, _, r.err = d.limiter.Acquire(ctx, limit.Ask{Priority: priority, Shape: s.baseline})
	r.wait = time.Since(r.due)
	if r.err == nil {
		d.upstream.do(min(s.work, d.patience))
		o := limit.Outcome{Took: time.Since(r.due) - r.wait, Shape: s.baseline}
		if o.Took >= d.patience {
			o.Failed = limit.TimedOut
			r.err = context.DeadlineExceeded
		}
		p.Release(o)
	}
	r.took = time.Since(r.due)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, r)
}

// served is the share of results without an error.
func served(all []result) float64 {
	n := 0
	for _, r := range all {
		if r.err == nil {
			n++
		}
	}
	return float64(n) / float64(max(len(all), 1))
}

// of are the results of a tier.
func of(tier limit.Tier, all []result) []result {
	return slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.tier != tier })
}

// p99 is the 99th percentile of what it took to serve.
func p99(all []result) time.Duration {
	var times []time.Duration
	for _, r := range all {
		if r.err == nil {
			times = append(times, r.took)
		}
	}
	slices.Sort(times)
	return times[len(times)*99/100]
}
