package tiers_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/loadtest/tiers"
)

type shapes []loadtest.Shape

func (s shapes) Shapes() []loadtest.Shape              { return s }
func (s shapes) Request(_ uint64, r *loadtest.Request) { r.Shape = 0 }

// load has two phases, of 2 s and of 4 s, and three shapes of two tiers.
func load() loadtest.Load {
	return loadtest.Load{
		Source: shapes{{Name: "pay", Group: "high"}, {Name: "look", Group: "low"}, {Name: "buy", Group: "high"}},
		Phases: []loadtest.Phase{{Duration: 2 * time.Second}, {Duration: 4 * time.Second}},
	}
}

const ms = time.Millisecond

func outcome(shape int, due, took time.Duration, problem string) loadtest.Outcome {
	return loadtest.Outcome{Shape: shape, Due: due, Sent: due, Done: due + took, Problem: problem}
}

func TestTally(t *testing.T) {
	c := tiers.New(load())
	for _, o := range []loadtest.Outcome{
		outcome(0, 0, 10*ms, ""), outcome(2, 500*ms, 30*ms, ""), outcome(1, 900*ms, 1*ms, "status 503"),
		outcome(0, 1990*ms, 20*ms, ""),          // the answer comes in the next phase
		outcome(1, 2000*ms, 5*ms, "status 500"), // which begins with this
		outcome(1, 7*time.Second, 5*ms, ""),     // and never ends
	} {
		c.Add(o)
	}
	if want := []string{"high", "low"}; !slices.Equal(c.Tiers, want) {
		t.Errorf("tiers %v, want %v", c.Tiers, want)
	}
	high, low, all := c.Of(0, 0), c.Of(0, 1), c.All(0)
	if high.Sent != 3 || high.Right.TotalCount() != 3 || high.Share() != 1 || low.Share() != 0 || low.Refused.TotalCount() != 1 || all.Sent != 4 || all.Share() != 0.75 {
		t.Errorf("%+v %+v %+v", high, low, all)
	}
	if got := tiers.Quantile(high.Right, 1); got.Round(ms) != 30*ms {
		t.Errorf("longest %v", got)
	}
	if later := c.Of(1, 1); later.Sent != 2 || later.Lost != 1 || later.Right.TotalCount() != 1 {
		t.Errorf("%+v", later)
	}
	if first, second := c.Goodput(0), c.Goodput(1); first != 1 || second != 0.5 {
		t.Errorf("%v and %v right answers a second, want 1 and 0.5", first, second)
	}
}

func TestRecovery(t *testing.T) {
	c := tiers.New(load())
	for i := range 400 {
		problem, took := "", ms
		switch {
		case i < 100 || i == 300:
			problem = "timeout"
		case i < 150:
			took = 200 * ms
		}
		c.Add(outcome(i%2, 2*time.Second+time.Duration(i)*10*ms, took, problem))
	}
	// From the 99th request on, 3 of 302 are wrong; from the 149th on, 2 of 251 are wrong or late.
	for within, want := range map[time.Duration]time.Duration{200 * ms: 980 * ms, 199 * ms: 1490 * ms} {
		if got, ok := c.Recovery(1, within); !ok || got != want {
			t.Errorf("normal after %v (%v), want %v", got, ok, want)
		}
	}
	if _, ok := c.Recovery(0, time.Hour); ok {
		t.Error("normal without a request")
	}
}

func TestDisorder(t *testing.T) {
	c := tiers.New(load())
	for i := range 400 {
		due := 2*time.Second + time.Duration(i)*10*ms
		low, high := "status 503", ""
		if i >= 300 && i%4 == 0 { // in the last second, a fourth of both
			low, high = "", "status 503"
		}
		c.Add(outcome(0, due, ms, high))
		c.Add(outcome(1, due, ms, low))
	}
	if got := c.Disorders(1, 100); !slices.Equal(got, []float64{0, 0, 0, 0}) {
		t.Errorf("%v", got)
	}
	if got := c.Disorders(1, 101); len(got) != 0 {
		t.Errorf("seconds of few requests: %v", got)
	}
	upside := tiers.New(load())
	for i := range 100 {
		due := 2*time.Second + time.Duration(i)*40*ms
		problem := ""
		if i < 50 {
			problem = "status 503"
		}
		upside.Add(outcome(0, due, ms, problem))
		upside.Add(outcome(1, due, ms, ""))
	}
	if got := upside.Disorders(1, 10); !slices.Equal(got, []float64{1, 1, 0, 0}) || math.Abs(upside.Disorder(1)-0.5) > 1e-9 {
		t.Errorf("%v, and %v of all", got, upside.Disorder(1))
	}
}
