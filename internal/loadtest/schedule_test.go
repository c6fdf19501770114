package loadtest_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// phases draws phases with a rate, of at most some ten thousand requests.
func phases(t *rapid.T) loadtest.Phase {
	rate := rapid.Float64Range(0, 2000)
	p := loadtest.Phase{
		Duration: time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(5*time.Second)).Draw(t, "duration")),
		From:     rate.Draw(t, "from"), To: rate.Draw(t, "to"),
	}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		p.To = p.From
	case 1:
		p.Steps = rapid.IntRange(2, 7).Draw(t, "steps")
	}
	if p.Closed() {
		p.To = 1
	}
	return p
}

func TestArrivalsAreInOrderAndInTheirPhase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := phases(t)
		spacing := rapid.SampledFrom([]loadtest.Arrivals{loadtest.Poisson, loadtest.Even}).Draw(t, "spacing")
		seed := rapid.Uint64().Draw(t, "seed")
		times := loadtest.Times(p, spacing, seed)
		if !slices.IsSorted(times) {
			t.Fatal("not in order")
		}
		if n := len(times); n > 0 && (times[0] < 0 || times[n-1] >= p.Duration) {
			t.Fatalf("from %v to %v, in a phase of %v", times[0], times[n-1], p.Duration)
		}
		if !slices.Equal(times, loadtest.Times(p, spacing, seed)) {
			t.Fatal("the same seed gives other times")
		}
	})
}

// Until any time, evenly spaced requests are as many as the rate says, but for the one that is next.
func TestEvenArrivalsFollowTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := phases(t)
		for i, at := range loadtest.Times(p, loadtest.Even, 0) {
			// Times are in whole nanoseconds, in which a fraction of a request is due.
			if want := loadtest.DueUntil(p, at); math.Abs(want-float64(i)) > 1e-3 {
				t.Fatalf("request %d is due at %v, when there are to be %v", i, at, want)
			}
		}
		if n, want := len(loadtest.Times(p, loadtest.Even, 0)), loadtest.DueUntil(p, p.Duration); math.Abs(float64(n)-want) > 1+1e-3 {
			t.Fatalf("%d requests, for %v", n, want)
		}
	})
}

// The number of requests of a Poisson process in any part of the time has the mean of the rate, and its square root as the
// standard deviation: what is more than six of them off, comes about once in 500 million.
func TestPoissonArrivalsFollowTheirLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := phases(t)
		times := loadtest.Times(p, loadtest.Poisson, rapid.Uint64().Draw(t, "seed"))
		for _, part := range []float64{0.25, 0.5, 1} {
			until := time.Duration(part * float64(p.Duration))
			n, _ := slices.BinarySearch(times, until)
			if want := loadtest.DueUntil(p, until); math.Abs(float64(n)-want) > 6*math.Sqrt(want)+12 {
				t.Fatalf("%d requests until %v, for %v", n, until, want)
			}
		}
	})
}

// On the clock of the process, distances are exponential: mean and standard deviation are 1, and the part over 1 is 1/e. The
// seed is fixed, and the bounds are six standard errors.
func TestPoissonDistancesAreExponential(t *testing.T) {
	p := loadtest.Phase{Duration: 10 * time.Second, From: 100, To: 9000}
	var n, sum, squares, over, last float64
	for _, at := range loadtest.Times(p, loadtest.Poisson, 1) {
		mass := loadtest.DueUntil(p, at)
		d := mass - last
		last = mass
		n, sum, squares = n+1, sum+d, squares+d*d
		if d > 1 {
			over++
		}
	}
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	if e := 6 / math.Sqrt(n); math.Abs(mean-1) > e || math.Abs(deviation-1) > 2*e || math.Abs(over/n-1/math.E) > e {
		t.Errorf("of %v distances, the mean is %v, the deviation %v, the part over 1 %v", n, mean, deviation, over/n)
	}
}

func TestPhaseRates(t *testing.T) {
	const second = time.Second
	ramp := loadtest.Phase{Duration: 10 * second, From: 100, To: 200}
	steps := loadtest.Phase{Duration: 10 * second, From: 100, To: 500, Steps: 5}
	for _, c := range []struct {
		phase loadtest.Phase
		at    time.Duration
		want  float64
	}{
		{ramp, 0, 100}, {ramp, 5 * second, 150}, {ramp, 10 * second, 0},
		{steps, 0, 100}, {steps, 2*second - 1, 100}, {steps, 2 * second, 200}, {steps, 9 * second, 500},
		{loadtest.Phase{Duration: second}, 0, 0},
	} {
		if got := c.phase.Rate(c.at); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v at %v: %v, not %v", c.phase, c.at, got, c.want)
		}
	}
	if n := len(loadtest.Times(steps, loadtest.Even, 0)); n != 2*(100+200+300+400+500) {
		t.Errorf("%d requests in steps", n)
	}
	if got := loadtest.Times(loadtest.Phase{Duration: second, From: 4, To: 4}, loadtest.Even, 0); !slices.Equal(got,
		[]time.Duration{0, second / 4, second / 2, second * 3 / 4}) {
		t.Errorf("four requests a second are due at %v", got)
	}
}
