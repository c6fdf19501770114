package limit_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// long is how long a long run is, in virtual time.
func long() time.Duration {
	if raceEnabled {
		return time.Minute
	}
	return 10 * time.Minute
}

// At three times what can be done, as much is done as ever, the important as fast as ever, and tiers are shed in order.
func TestThreeTimesTooMuch(t *testing.T) {
	t.Run("as many as there are permits", func(t *testing.T) {
		threeTimes(t, limit.Options{Max: 10}, 10, 0.95, func(*load) {})
	})
	// Critical and default requests are all that can be done, so that the next tier gets what they leave over by chance.
	t.Run("one permit is kept for others", func(t *testing.T) {
		o := limit.Options{
			Max: 10, Target: 50 * time.Millisecond, Interval: 200 * time.Millisecond,
			Classes: []limit.Class{{Name: "busy", Share: 0.6}, {Name: "idle", Share: 0.4}},
		}
		threeTimes(t, o, 9, 0.8, func(d *load) {
			d.tiers = [4]float64{0.1, 0.23, 0.3, 0.37}
			d.shapes = []shape{{20 * time.Millisecond, 0.8, new(limit.Baseline)}, {120 * time.Millisecond, 0.2, new(limit.Baseline)}}
		})
	})
}

func threeTimes(t *testing.T, o limit.Options, atOnce, all float64, change func(*load)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newLoad(limit.New(o), new(upstream))
		change(d)
		capacity := d.rate(atOnce)
		unloaded := d.run(0.2*capacity, time.Minute)
		d.run(3*capacity, 5*time.Second)
		var results []result
		for range long() / (10 * time.Second) {
			window := d.run(3*capacity, 10*time.Second)
			inOrder(t, window, all)
			results = append(results, window...)
		}
		if good := served(results) * float64(len(results)) / long().Seconds() / capacity; good < 0.9 {
			t.Errorf("goodput is %.2f of the capacity", good)
		}
		critical := of(limit.Critical, results)
		if now, before := p99(critical), p99(unloaded); served(critical) < 1 || now > 2*before {
			t.Errorf("%.4f of the critical ones were served, within %v; without load %v", served(critical), now, before)
		}
		late := 0
		for _, r := range results {
			if r.err != nil && r.took > 5*time.Millisecond {
				late++
			}
		}
		if shed := (1 - served(results)) * float64(len(results)); float64(late) > 0.005*shed {
			t.Errorf("%d of %.0f were shed late", late, shed)
		}
		d.all.Wait()
	})
}

// inOrder checks that no tier is served to some part while a better one is not, but for a small part. Some is allowed for, as
// shares are set anew some times a second only, and as who comes by chance when nobody waits is not refused for who may come.
func inOrder(t *testing.T, window []result, all float64) {
	t.Helper()
	for tier := limit.Default; tier <= limit.Background; tier++ {
		worse, better := served(of(tier, window)), served(of(tier-1, window))
		if worse > 0.05 && better < all {
			t.Errorf("%.2f of the %v ones were served, and only %.2f of the %v ones", worse, tier, better, tier-1)
		}
	}
}

// Few critical requests whose clients wait for each are served, whatever has all permits, and however soon others come back.
func TestCriticalOnesWaitForHeavyWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 10})
		var clients sync.WaitGroup
		end := time.Now().Add(time.Minute)
		work := func(n int, tier limit.Tier, took time.Duration) (refused *atomic.Int64) {
			refused = new(atomic.Int64)
			for range n {
				clients.Go(func() {
					for time.Now().Before(end) {
						p, _, err := l.Acquire(t.Context(), limit.Ask{Priority: limit.Priority{Tier: tier, Cohort: 64}})
						if err != nil {
							refused.Add(1)
							time.Sleep(time.Millisecond)
							continue
						}
						time.Sleep(took)
						p.Release(limit.Outcome{Took: took})
					}
				})
			}
			return refused
		}
		heavy := work(40, limit.Default, time.Second)
		time.Sleep(20 * time.Second)
		light := work(4, limit.Critical, 2*time.Millisecond)
		clients.Wait()
		if heavy.Load() == 0 || light.Load() > 0 {
			t.Errorf("%d critical requests were refused, and %d others", light.Load(), heavy.Load())
		}
	})
}

// A little too much for ten minutes moves the limit nowhere.
func TestNoDrift(t *testing.T) {
	for name, most := range map[string]int{"many permits": 100, "some": 40, "few": 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limit.New(limit.Options{Max: most})
				d := newLoad(l, &upstream{cores: 4})
				d.run(0.3*d.rate(4), 20*time.Second)
				d.run(1.2*d.rate(4), time.Minute)
				var limits []int
				sum, done := 0, 0.0
				for range long() / (10 * time.Second) {
					window := d.run(1.2*d.rate(4), 10*time.Second)
					done += served(window) * float64(len(window))
					limits = append(limits, l.Stats().Classes[0].Limit)
					sum += limits[len(limits)-1]
				}
				mean := float64(sum) / float64(len(limits))
				least, greatest := slices.Min(limits), slices.Max(limits)
				if float64(least) < 0.7*mean || float64(greatest) > 1.3*mean || mean > 16 {
					t.Errorf("limits %v", limits)
				}
				if good := done / long().Seconds() / d.rate(4); good < 0.9 {
					t.Errorf("goodput is %.2f of the capacity", good)
				}
				d.all.Wait()
			})
		})
	}
}

// When all work times out, little of it is begun; as soon as the upstream works again, all is as before.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 10})
		d := newLoad(l, new(upstream))
		d.patience = 2 * time.Second
		rate := d.rate(3)
		d.run(rate, time.Minute)
		healthy := d.shapes
		d.shapes = d.slowed(200)
		d.run(rate, time.Minute)
		for range 9 {
			d.run(rate, time.Minute)
			if c := l.Stats().Classes[0]; c.Limit != 2 || c.Admitted > 0.3 {
				t.Fatalf("the limit is %d, and %.2f are admitted", c.Limit, c.Admitted)
			}
		}
		d.shapes = healthy
		d.run(rate, 5*time.Second)
		if all := d.run(rate, 10*time.Second); served(all) < 1 {
			t.Errorf("%.3f are served", served(all))
		}
		if s := l.Stats(); s.Classes[0].Limit != 10 {
			t.Errorf("the limit is %d", s.Classes[0].Limit)
		}
		d.all.Wait()
	})
}

// Two seconds after a stall of ten, all is as before.
func TestStall(t *testing.T) {
	for name, cores := range map[string]float64{"sleeps": 0, "cores": 4} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newLoad(limit.New(limit.Options{Max: 10}), &upstream{cores: cores})
				rate := d.rate(3)
				d.run(rate, time.Minute)
				thaw := d.upstream.freeze()
				if stalled := d.run(rate, 10*time.Second); served(stalled) > 0.2 {
					t.Errorf("%.2f are served during the stall", served(stalled))
				}
				thaw()
				d.run(rate, 2*time.Second)
				if after := d.run(rate, 5*time.Second); served(after) < 0.99 {
					t.Errorf("%.2f are served two seconds later", served(after))
				}
				d.all.Wait()
			})
		})
	}
}

// Work that takes longer now, whatever the concurrency, is no congestion for ever.
func TestTheUpstreamHasBecomeSlower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 10})
		d := newLoad(l, new(upstream))
		d.run(d.rate(5), time.Minute)
		d.shapes = d.slowed(20)
		d.run(d.rate(5), 90*time.Second)
		if s := l.Stats(); s.Classes[0].Limit < 9 {
			t.Errorf("the limit is still %d", s.Classes[0].Limit)
		}
		d.all.Wait()
	})
}

func TestRefusedByTheUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 20})
		for range 3 { // within a second, that is once
			acquire(t, l, ordinary).Release(limit.Outcome{Failed: limit.Refused})
		}
		if s := l.Stats(); s.Classes[0].Limit != 15 {
			t.Errorf("the limit is %d", s.Classes[0].Limit)
		}
	})
}
