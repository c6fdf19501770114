package limit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// upstream does work in virtual time. With cores, they are shared by all that is under way; without, work only takes its
// time, as pg_sleep does.
type upstream struct {
	mu     sync.Mutex
	cores  float64
	active int
	frozen chan struct{} // nil: it is not
}

func (u *upstream) do(service time.Duration) {
	u.mu.Lock()
	u.active++
	slowness := 1.0
	if u.cores > 0 {
		slowness = max(1, float64(u.active)/u.cores)
	}
	frozen := u.frozen
	u.mu.Unlock()
	time.Sleep(time.Duration(float64(service) * slowness))
	if frozen != nil {
		<-frozen
	}
	u.mu.Lock()
	u.active--
	u.mu.Unlock()
}

// freeze stops the upstream until the function that it returns is called.
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

// shape is a kind of work; its times vary by a third in both directions.
type shape struct {
	service  time.Duration
	weight   float64
	baseline *limit.Baseline
}

func (s *shape) time() time.Duration {
	return time.Duration((0.67 + 0.66*rand.Float64()) * float64(s.service))
}

// load is open: requests are due at random times, whether or not those before are done.
type load struct {
	limiter  *limit.Limiter
	upstream *upstream
	shapes   []shape
	tiers    [4]float64 // weights
	timeout  time.Duration

	all     sync.WaitGroup
	mu      sync.Mutex
	results []result
}

type result struct {
	tier  limit.Tier
	due   time.Duration // since the start of the run
	took  time.Duration
	wait  time.Duration
	usual time.Duration // what the work takes alone
	err   error
}

func choose[T any](all []T, weight func(T) float64) T {
	total := 0.0
	for _, x := range all {
		total += weight(x)
	}
	at := rand.Float64() * total
	for _, x := range all {
		if at -= weight(x); at < 0 {
			return x
		}
	}
	return all[len(all)-1]
}

func (d *load) run(rate float64, span time.Duration) {
	d.runNoWait(rate, span)
	d.all.Wait()
}

// run sends rate requests a second for a time.
func (d *load) runNoWait(rate float64, span time.Duration) {
	start := time.Now()
	for {
		time.Sleep(time.Duration(rand.ExpFloat64() / rate * float64(time.Second)))
		due := time.Since(start)
		if due > span {
			break
		}
		d.all.Go(func() { d.request(due) })
	}
}

func (d *load) request(due time.Duration) {
	s := choose(d.shapes, func(s shape) float64 { return s.weight })
	tier := choose([]limit.Tier{0, 1, 2, 3}, func(t limit.Tier) float64 { return d.tiers[t] })
	service := s.time()
	r := result{tier: tier, due: due, usual: service}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	ask := limit.Ask{Priority: limit.Priority{Tier: tier, Cohort: uint8(rand.IntN(128))}, Shape: s.baseline}
	var p limit.Permit
	p, _, r.err = d.limiter.Acquire(ctx, ask)
	if r.err == nil {
		r.wait = time.Since(begun)
		d.upstream.do(service)
		o := limit.Outcome{Took: time.Since(begun) - r.wait, Shape: s.baseline}
		if o.Took > d.timeout {
			o.Failed = limit.TimedOut
		}
		p.Release(o)
	}
	r.took = time.Since(begun)
	d.mu.Lock()
	d.results = append(d.results, r)
	d.mu.Unlock()
}

func newLoad(l *limit.Limiter, u *upstream) *load {
	return &load{
		limiter: l, upstream: u, timeout: 5 * time.Second,
		shapes: []shape{
			{10 * time.Millisecond, 8, new(limit.Baseline)},
			{50 * time.Millisecond, 2, new(limit.Baseline)},
			{200 * time.Millisecond, 0.5, new(limit.Baseline)},
		},
		tiers: [4]float64{0.1, 0.4, 0.3, 0.2},
	}
}

// mean is what a request takes on average.
func (d *load) mean() time.Duration {
	var sum, weights float64
	for _, s := range d.shapes {
		sum += s.weight * float64(s.service)
		weights += s.weight
	}
	return time.Duration(sum / weights)
}

func quantile(q float64, times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(q*float64(len(times)-1))]
}

func TestExplore(t *testing.T) {
	for _, cores := range []float64{0, 4} {
		synctest.Test(t, func(t *testing.T) {
			l := limit.New(limit.Options{Max: 10})
			u := &upstream{cores: cores}
			d := newLoad(l, u)
			c := cores
			if c == 0 {
				c = 10
			}
			capacity := c / d.mean().Seconds()
			for _, times := range []float64{0.2, 0.7, 1.2, 3, 0.7} {
				d.results = nil
				span := 60 * time.Second
				go func() {
					for range 6 {
						time.Sleep(span / 6)
						s := l.Stats()
						t.Logf("   limit %d inflight %d queued %d over %v admitted %.2f spread", s.Classes[0].Limit, s.InFlight, s.Queued, s.Overloaded(), s.Classes[0].Admitted)
					}
				}()
				before := l.Stats()
				d.run(times*capacity, span)
				report(t, d, times, capacity, span, before, l.Stats())
			}
		})
	}
}

func report(t *testing.T, d *load, times, capacity float64, span time.Duration, before, after limit.Stats) {
	t.Logf("%.1fx of %.0f/s:", times, capacity)
	good := 0
	for tier := limit.Critical; tier <= limit.Background; tier++ {
		var took, wait, rejects []time.Duration
		n, ok := 0, 0
		for _, r := range d.results {
			if r.tier != tier {
				continue
			}
			n++
			var shed *limit.ShedError
			switch {
			case r.err == nil:
				ok++
				took, wait = append(took, r.took), append(wait, r.wait)
			case errors.As(r.err, &shed):
				rejects = append(rejects, r.took)
			}
		}
		good += ok
		var sheds []uint64
		for i := range after.Sheds[tier] {
			sheds = append(sheds, after.Sheds[tier][i]-before.Sheds[tier][i])
		}
		t.Logf("  %-10v n %6d ok %.3f p50 %v p99 %v wait p99 %v; reject p50 %v p99 %v %v", tier, n, float64(ok)/float64(n), quantile(.5, took), quantile(.99, took), quantile(.99, wait), quantile(.5, rejects), quantile(.99, rejects), sheds)
	}
	t.Logf("  goodput %.3f of capacity", float64(good)/span.Seconds()/capacity)
}
