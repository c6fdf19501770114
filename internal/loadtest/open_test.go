package loadtest_test

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// virtual runs a load in virtual time against a handler, to which it says how long after the start it is.
func virtual(t *testing.T, l loadtest.Load, h func(w http.ResponseWriter, r *http.Request, at time.Duration), f func(*loadtest.Result)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(w, r, time.Since(started)) })
		serveVirtual(t, handler, func(p *pipes) {
			if l.Source == nil {
				l.Source = gets()
			}
			l.Target, l.Dial = at(t, "http://virtual"), p.dial
			res, err := loadtest.RunVirtual(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			f(res)
		})
	})
}

func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// near says whether microseconds of a histogram are a time, within a thousandth: three digits.
func near(us int64, want time.Duration) bool {
	got := time.Duration(us) * time.Microsecond
	return (got - want).Abs() <= want/1000+time.Microsecond
}

func TestRequestsAreSentWhenTheyAreDue(t *testing.T) {
	ramp := loadtest.Phase{Name: "ramp", Duration: 3 * time.Second, From: 10, To: 200}
	steady := loadtest.Phase{Name: "steady", Duration: 2 * time.Second, From: 50, To: 50}
	for _, spacing := range []loadtest.Arrivals{loadtest.Poisson, loadtest.Even} {
		var mu sync.Mutex
		var got []time.Duration
		l := loadtest.Load{Phases: []loadtest.Phase{ramp, steady}, Arrivals: spacing, Seed: 7}
		virtual(t, l, func(_ http.ResponseWriter, _ *http.Request, at time.Duration) {
			mu.Lock()
			got = append(got, at)
			mu.Unlock()
			time.Sleep(ms(30)) // several are under way
		}, func(res *loadtest.Result) {
			if res.Generator.Late.Max() > 0 || res.Generator.Waited > 0 {
				t.Error("late in virtual time")
			}
			if n := uint64(len(got)); res.Total.Due != n || res.Total.Sent != n || res.Total.Good != n {
				t.Errorf("%d requests came, and %+v were counted", n, res.Total)
			}
		})
		want := loadtest.Times(ramp, spacing, 7)
		if spacing == loadtest.Even { // another phase's random numbers are others
			for _, at := range loadtest.Times(steady, spacing, 7) {
				want = append(want, ramp.Duration+at)
			}
		}
		slices.Sort(got)
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("sent at %v, not %v", got, want)
		}
	}
}

// A server that stalls for a second keeps nearly all of its requests waiting whose turn comes meanwhile. Who counts from
// when a request was sent sees a few slow ones.
func TestAStallShowsInLatencyNotInOwn(t *testing.T) {
	l := loadtest.Load{
		Phases:         []loadtest.Phase{{Duration: 10 * time.Second, From: 100, To: 100}},
		Arrivals:       loadtest.Even,
		MaxConnections: 4,
	}
	stall := func(_ http.ResponseWriter, _ *http.Request, at time.Duration) {
		if at >= 5*time.Second && at < 6*time.Second {
			time.Sleep(6*time.Second - at)
		}
		time.Sleep(ms(1))
	}
	virtual(t, l, stall, func(res *loadtest.Result) {
		total := res.Total
		if total.Good != 1000 {
			t.Fatalf("%d of 1000 good", total.Good)
		}
		// 100 of the 1000 are due in the stall, and wait between 0 and 1 s; they are worked off within 30 ms.
		if p95 := total.Latency.ValueAtQuantile(95); p95 < 450_000 || p95 > 550_000 {
			t.Errorf("p95 from when requests were due: %d µs", p95)
		}
		if p99 := total.Own.ValueAtQuantile(99); !near(p99, ms(1)) {
			t.Errorf("p99 from when requests were sent: %d µs", p99)
		}
		if total.Own.Max() < 990_000 {
			t.Errorf("the stall is nowhere: %d µs", total.Own.Max())
		}
		if res.Generator.Waited < 90 || res.Generator.Late.Max() > 0 {
			t.Errorf("%d waited, late by up to %d µs", res.Generator.Waited, res.Generator.Late.Max())
		}
		if res.Generator.Bottleneck != "" {
			t.Errorf("the server's stall is blamed on the generator: %s", res.Generator.Bottleneck)
		}
	})
}

// The recorded percentiles are those that the server was told to sleep.
func TestPercentilesAreTrue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	delays := make([]time.Duration, 4000)
	for i := range delays {
		delays[i] = 5*time.Millisecond + time.Duration(min(45, random.ExpFloat64()*9)*float64(time.Millisecond))
	}
	var mu sync.Mutex
	var next int
	l := loadtest.Load{Phases: []loadtest.Phase{{Duration: 4 * time.Second, From: 1000, To: 1000}}, Arrivals: loadtest.Even}
	virtual(t, l, func(http.ResponseWriter, *http.Request, time.Duration) {
		mu.Lock()
		d := delays[next]
		next++
		mu.Unlock()
		time.Sleep(d)
	}, func(res *loadtest.Result) {
		slices.Sort(delays)
		for _, q := range []float64{50, 90, 99, 99.9} {
			want := delays[int(q/100*float64(len(delays)))-1]
			own, latency := res.Total.Own.ValueAtQuantile(q), res.Total.Latency.ValueAtQuantile(q)
			if !near(own, want) || !near(latency, want) {
				t.Errorf("p%v: own %d µs, latency %d µs, not %v", q, own, latency, want)
			}
		}
	})
}

// What cannot be sent in its phase is not sent later, and not said to have been.
func TestWhatIsLeftOfAPhaseIsNotSent(t *testing.T) {
	l := loadtest.Load{
		Phases: []loadtest.Phase{
			{Name: "over", Duration: time.Second, From: 1000, To: 1000},
			{Name: "under", Duration: time.Second, From: 10, To: 10},
		},
		Arrivals: loadtest.Even, MaxConnections: 2,
	}
	var mu sync.Mutex
	var last string
	virtual(t, l, func(_ http.ResponseWriter, r *http.Request, _ time.Duration) {
		mu.Lock()
		last = r.URL.Path
		mu.Unlock()
		time.Sleep(ms(20))
	}, func(res *loadtest.Result) {
		over, under := res.Phases[0], res.Phases[1]
		if over.Due != 1000 || over.Sent != 100 || over.Good != 100 {
			t.Errorf("%d due, %d sent, %d good; two connections send 50 a second each", over.Due, over.Sent, over.Good)
		}
		if under.Due != 10 || under.Sent != 10 {
			t.Errorf("%d due, %d sent after it", under.Due, under.Sent)
		}
		if last != "/1009" {
			t.Errorf("the last request was %s", last)
		}
		if res.Total.Due != 1010 || res.Total.Sent != 110 || res.Shapes[0].Sent != 110 {
			t.Errorf("in all: %d due, %d sent", res.Total.Due, res.Total.Sent)
		}
	})
}

func TestTooFewConnectionsAreTheGeneratorsFault(t *testing.T) {
	l := loadtest.Load{
		Phases: []loadtest.Phase{{Duration: 10 * time.Second, From: 120, To: 120}}, Arrivals: loadtest.Poisson, MaxConnections: 10,
	}
	virtual(t, l, func(http.ResponseWriter, *http.Request, time.Duration) { time.Sleep(ms(100)) }, func(res *loadtest.Result) {
		if res.Generator.Bottleneck == "" || res.Generator.Connections != 10 {
			t.Errorf("ten connections can send 100 requests a second of 120, and nothing is said: %+v", res.Generator)
		}
	})
}

func TestClosedLoop(t *testing.T) {
	l := loadtest.Load{
		Phases:      []loadtest.Phase{{Duration: time.Second, WarmUp: true}, {Duration: 2 * time.Second}},
		Connections: 5,
	}
	virtual(t, l, func(http.ResponseWriter, *http.Request, time.Duration) { time.Sleep(ms(10)) }, func(res *loadtest.Result) {
		if res.Open || res.Total.Sent != 5*200 || res.Total.Due != 5*200 || res.Phases[0].Sent != 5*100 {
			t.Errorf("%d sent of %d, %d before", res.Total.Sent, res.Total.Due, res.Phases[0].Sent)
		}
		if !near(res.Total.Latency.ValueAtQuantile(50), ms(10)) || res.Generator.Opened != 5 {
			t.Errorf("%d µs, %d connections", res.Total.Latency.ValueAtQuantile(50), res.Generator.Opened)
		}
	})
}

// A phase with a rate may come before one without, and after it.
func TestPhasesOfBothKinds(t *testing.T) {
	l := loadtest.Load{
		Phases: []loadtest.Phase{
			{Duration: time.Second, From: 100, To: 100}, {Duration: time.Second}, {Duration: time.Second, From: 50, To: 50}, {Duration: time.Second},
		},
		Arrivals: loadtest.Even, Connections: 3,
	}
	virtual(t, l, func(http.ResponseWriter, *http.Request, time.Duration) { time.Sleep(ms(100)) }, func(res *loadtest.Result) {
		for i, want := range []uint64{100, 30, 50, 30} {
			if p := res.Phases[i]; p.Good != want || p.Due != want || p.Took != time.Second || p.Start != time.Duration(i)*time.Second {
				t.Errorf("phase %d: %d good of %d, %v from %v", i, p.Good, p.Due, p.Took, p.Start)
			}
		}
	})
}

// A phase that is over before it could begin, as after the process was stopped, is left out.
func TestPhasesThatAreOverAtOnce(t *testing.T) {
	l := loadtest.Load{
		Target: listen(t, answering(hello)), Source: gets(), Connections: 3,
		Phases: []loadtest.Phase{
			{Duration: 1}, {Duration: ms(100), From: 200, To: 200}, {Duration: 1}, {Duration: 1, From: 1, To: 1}, {Duration: ms(100), From: 200, To: 200},
		},
	}
	res, err := loadtest.Run(t.Context(), l)
	if err != nil || len(res.Phases) != 5 || res.Total.Sent != res.Total.Good {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestTimeoutsCountWithTheTimeWaited(t *testing.T) {
	l := loadtest.Load{
		Phases: []loadtest.Phase{{Duration: 4 * time.Second, From: 10, To: 10}}, Arrivals: loadtest.Even, Timeout: 2 * time.Second,
	}
	virtual(t, l, func(_ http.ResponseWriter, r *http.Request, at time.Duration) {
		if at >= 2*time.Second {
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
			}
		}
	}, func(res *loadtest.Result) {
		if res.Total.Good != 20 || res.Total.Errors["timeout"] != 20 {
			t.Errorf("%d good, %v", res.Total.Good, res.Total.Errors)
		}
		if max := res.Total.Latency.ValueAtQuantile(99); !near(max, 2*time.Second) || res.Total.Latency.TotalCount() != 40 {
			t.Errorf("p99 of %d: %d µs", res.Total.Latency.TotalCount(), max)
		}
		if res.Took != ms(3900)+2*time.Second {
			t.Errorf("took %v", res.Took)
		}
	})
}

func TestTheEndOfTheContextGivesWhatThereIs(t *testing.T) {
	for _, p := range []loadtest.Phase{{Duration: time.Hour, From: 10, To: 10}, {Duration: time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(ms(250)) })
			serveVirtual(t, h, func(pipes *pipes) {
				ctx, cancel := context.WithTimeout(t.Context(), ms(10_050))
				defer cancel()
				l := loadtest.Load{
					Target: at(t, "http://virtual"), Dial: pipes.dial, Source: gets(), Phases: []loadtest.Phase{p}, Arrivals: loadtest.Even,
					Connections: 3,
				}
				res, err := loadtest.RunVirtual(ctx, l)
				if err != nil {
					t.Fatal(err)
				}
				// The last requests, which are due at or just before the end, get no answer: they are neither good nor errors.
				total := res.Total
				if under := total.Sent - total.Good; under < 2 || under > 3 || len(total.Errors) > 0 {
					t.Errorf("%d sent, %d good, %v", total.Sent, total.Good, total.Errors)
				}
				if res.Phases[0].Took != ms(10_050) || len(res.Series) != 101 {
					t.Errorf("took %v, %d intervals", res.Phases[0].Took, len(res.Series))
				}
			})
		})
	}
}

func TestProgressIsCalledTwiceASecond(t *testing.T) {
	var mu sync.Mutex
	var all []loadtest.Progress
	l := loadtest.Load{
		Phases: []loadtest.Phase{{Duration: 2 * time.Second, From: 50, To: 150}}, Arrivals: loadtest.Even, MaxConnections: 3,
		Progress: func(p loadtest.Progress) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, p)
		},
	}
	virtual(t, l, func(_ http.ResponseWriter, _ *http.Request, at time.Duration) {
		time.Sleep(ms(5))
		if at > ms(1300) {
			time.Sleep(time.Second)
		}
	}, func(res *loadtest.Result) {
		mu.Lock()
		defer mu.Unlock()
		if len(all) < 4 {
			t.Fatalf("%d calls in %v", len(all), res.Took)
		}
		second, third := all[1], all[2]
		if second.Elapsed != time.Second || second.Whole != 2*time.Second || second.Offered != 100 || second.Behind != 0 || second.InFlight > 1 {
			t.Errorf("after a second: %+v", second)
		}
		if second.Total.Sent != all[0].Total.Sent+second.Since.Sent || math.Abs(second.Achieved-2*float64(second.Since.Sent)) > 2 {
			t.Errorf("after a second: %d in all, %d since, %v/s", second.Total.Sent, second.Since.Sent, second.Achieved)
		}
		if third.InFlight != 3 || third.Behind < ms(100) || third.Behind > ms(200) {
			t.Errorf("in the stall: %d in flight, behind by %v", third.InFlight, third.Behind)
		}
	})
}

func TestSeriesAndGroups(t *testing.T) {
	fails := func(status int, _ []byte) string {
		if status != http.StatusOK {
			return "no"
		}
		return ""
	}
	l := loadtest.Load{
		Phases: []loadtest.Phase{
			{Duration: time.Minute, From: 10, To: 10, WarmUp: true}, {Duration: time.Minute, From: 10, To: 30},
		},
		Arrivals: loadtest.Even,
		Source: &source{method: http.MethodGet, shapes: []loadtest.Shape{
			{Name: "a", Group: "one", Check: fails}, {Name: "b", Group: "two"}, {Name: "c", Group: "one"}, {Name: "d"},
		}},
	}
	virtual(t, l, func(w http.ResponseWriter, r *http.Request, at time.Duration) {
		if at > 90*time.Second {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}, func(res *loadtest.Result) {
		if res.Total.Sent != 1200 || res.Total.Errors["no"] == 0 || res.Total.Errors["status 503"] == 0 {
			t.Errorf("%d sent, %v", res.Total.Sent, res.Total.Errors)
		}
		var shapes uint64
		for _, row := range res.Shapes {
			shapes += row.Sent
		}
		one, two := res.Groups[0], res.Groups[1]
		if shapes != 1200 || len(res.Groups) != 2 || one.Name != "one" || one.Sent != res.Shapes[0].Sent+res.Shapes[2].Sent || two.Sent != res.Shapes[1].Sent {
			t.Errorf("%d in shapes, groups %+v", shapes, res.Groups)
		}
		var due, good, bad uint64
		for i, v := range res.Series {
			if v.Length != 200*time.Millisecond || v.Start != time.Duration(i)*v.Length {
				t.Fatalf("interval %d is %v long, from %v", i, v.Length, v.Start)
			}
			due, good, bad = due+v.Due, good+v.Good, bad+v.Errors
		}
		if len(res.Series) != 600 || due != 1800 || good+bad != 1800 || bad != res.Total.Errors["no"]+res.Total.Errors["status 503"] {
			t.Errorf("%d intervals with %d due, %d good, %d not", len(res.Series), due, good, bad)
		}
		if first, last := res.Series[0].Offered, res.Series[599].Offered; first < 9.9 || first > 10.1 || last < 29.8 || last > 30.1 {
			t.Errorf("offered %v/s and %v/s", first, last)
		}
	})
}
