package loadtest_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// kneeOf looks for the knee of a server that answers one request after the other, in ten milliseconds each, in virtual time.
func kneeOf(t *testing.T, l loadtest.Load, o loadtest.KneeOptions, check func(*loadtest.Knee)) {
	t.Helper()
	slo, err := loadtest.ParseSLO("p99=100ms")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		one := make(chan struct{}, 1)
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			one <- struct{}{}
			time.Sleep(10 * time.Millisecond)
			<-one
		})
		serveVirtual(t, h, func(p *pipes) {
			l.Target, l.Dial, l.Source = at(t, "http://virtual"), p.dial, gets()
			knee, err := loadtest.FindKneeVirtual(t.Context(), l, slo, o)
			if err != nil {
				t.Fatal(err)
			}
			check(knee)
		})
	})
}

func TestKnee(t *testing.T) {
	for _, start := range []float64{10, 400} {
		points := 0
		o := loadtest.KneeOptions{Start: start, Step: 10 * time.Second, Progress: func(loadtest.Point) { points++ }}
		kneeOf(t, loadtest.Load{}, o, func(k *loadtest.Knee) {
			// 100 a second is all there is, and at 60 hardly one in a hundred finds nine others before it.
			if k.Rate < 60 || k.Rate > 100 || k.Limit != "" {
				t.Errorf("from %v/s: %v/s, %s", start, k.Rate, k.Limit)
			}
			if points != len(k.Points) {
				t.Errorf("%d points, %d were told", len(k.Points), points)
			}
			broken := 0
			for i, p := range k.Points {
				if i > 0 && p.Rate < k.Points[i-1].Rate {
					t.Errorf("%v/s after %v/s", p.Rate, k.Points[i-1].Rate)
				}
				if p.Holds != (p.Why == "") || p.Holds && p.Rate > k.Rate {
					t.Errorf("%+v", p)
				}
				if !p.Holds && p.Rate <= k.Rate*1.05 {
					broken++
				}
			}
			if broken < 2 {
				t.Errorf("nothing within 5 %% of the knee broke twice: %d points", len(k.Points))
			}
		})
	}
}

func TestKneeBelowAllRates(t *testing.T) {
	slo := loadtest.SLO{{Percentile: 50, Latency: time.Millisecond}}
	synctest.Test(t, func(t *testing.T) {
		serveVirtual(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(ms(2)) }), func(p *pipes) {
			l := loadtest.Load{Target: at(t, "http://virtual"), Dial: p.dial, Source: gets()}
			k, err := loadtest.FindKneeVirtual(t.Context(), l, slo, loadtest.KneeOptions{Start: 8})
			if err != nil || k.Rate != 0 || k.Limit != "" || k.Points[0].Rate != 1 || len(k.Points) != 2*4 {
				t.Errorf("%+v, %v", k, err)
			}
		})
	})
}

func TestKneeLimits(t *testing.T) {
	kneeOf(t, loadtest.Load{}, loadtest.KneeOptions{Start: 10, Most: 20}, func(k *loadtest.Knee) {
		if k.Rate != 20 || k.Limit == "" {
			t.Errorf("up to 20/s: %v/s, %q", k.Rate, k.Limit)
		}
	})
	// One connection sends as much as this server takes, but late.
	kneeOf(t, loadtest.Load{MaxConnections: 1}, loadtest.KneeOptions{Start: 60, Step: 20 * time.Second}, func(k *loadtest.Knee) {
		if k.Limit == "" {
			t.Errorf("with one connection: %v/s and no limit", k.Rate)
		}
	})
}

func TestKneeEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serveVirtual(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(p *pipes) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var once sync.Once
			l := loadtest.Load{Target: at(t, "http://virtual"), Dial: p.dial, Source: gets()}
			k, err := loadtest.FindKneeVirtual(ctx, l, loadtest.SLO{{Percentile: 99, Latency: time.Second}}, loadtest.KneeOptions{
				Progress: func(loadtest.Point) { once.Do(func() { time.AfterFunc(3*time.Second, cancel) }) },
			})
			if err != nil || k.Rate != 100 || len(k.Points) != 1 || k.Limit == "" {
				t.Errorf("%+v, %v", k, err)
			}
		})
	})
}

func TestKneeOptionsThatCannotBe(t *testing.T) {
	slo := loadtest.SLO{{Percentile: 99, Latency: time.Second}}
	for _, o := range []loadtest.KneeOptions{{Start: -1}, {Start: 100, Most: 50}, {Step: -1}, {Pause: -1}, {Precision: 1}} {
		if _, err := loadtest.FindKnee(t.Context(), loadtest.Load{}, slo, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if _, err := loadtest.FindKnee(t.Context(), loadtest.Load{}, nil, loadtest.KneeOptions{}); err == nil {
		t.Error("no SLO is taken")
	}
}
