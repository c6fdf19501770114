package balance_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/quick"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/internal/balance"
)

func anyone(int) bool { return true }

func TestPicksWhoIsExpectedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := balance.New(2, balance.Options{})
		times := [...]time.Duration{2 * time.Millisecond, 6 * time.Millisecond}
		for range times { // both are tried once
			b.Pick(anyone)
		}
		if a, c := b.State(0), b.State(1); a.InFlight != 1 || c.InFlight != 1 || a.Peak != time.Second {
			t.Fatalf("%+v %+v", a, c)
		}
		b.Succeeded(0, times[0])
		b.Succeeded(1, times[1])
		picked := [2]int{}
		for range 8 {
			picked[b.Pick(anyone)]++
		}
		// Three at the quick one take as long as one at the other.
		if picked != [2]int{6, 2} {
			t.Errorf("%v of 8 requests that go on", picked)
		}
	})
}

// Whoever may be taken, the one that is picked may; and nobody is picked only if nobody may.
func TestPicksOnlyWhoMay(t *testing.T) {
	property := func(seed uint64, hosts uint8, allowed uint64) bool {
		n := int(hosts % 65)
		random := rand.New(rand.NewPCG(seed, 1))
		b := balance.New(n, balance.Options{Random: random.Float64})
		may := func(i int) bool { return i < 64 && allowed>>i&1 == 1 }
		one := false
		for i := range n {
			one = one || may(i)
		}
		for range 20 {
			i := b.Pick(may)
			if (i >= 0) != one || i >= 0 && !may(i) {
				return false
			}
			if i >= 0 && random.IntN(2) == 0 {
				b.Succeeded(i, time.Duration(1+random.IntN(1000))*time.Microsecond)
			}
		}
		return true
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

// Two that are drawn are enough to keep the load even: the longest queue grows with log log n.
func TestTwoChoicesAreEven(t *testing.T) {
	const hosts, each = 50, 100
	random := rand.New(rand.NewPCG(7, 7))
	b := balance.New(hosts, balance.Options{Clock: func() time.Duration { return 0 }, Random: random.Float64})
	for range hosts * 40 { // until all are known, and alike
		i := b.Pick(anyone)
		b.Succeeded(i, time.Millisecond)
	}
	for range hosts * each {
		b.Pick(anyone)
	}
	for i := range hosts {
		if n := b.State(i).InFlight; n < each-10 || n > each+10 {
			t.Errorf("host %d has %d of %d", i, n, each)
		}
	}
}

func TestPeaksRiseAtOnceAndFallSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := balance.New(1, balance.Options{})
		observe := func(took time.Duration) time.Duration {
			b.Succeeded(b.Pick(anyone), took)
			return b.State(0).Peak
		}
		observe(time.Millisecond)
		if got := observe(time.Second); got != time.Second {
			t.Errorf("after a peak of 1s: %s", got)
		}
		if got := observe(time.Millisecond); got != time.Second {
			t.Errorf("right after the peak: %s", got)
		}
		time.Sleep(10 * time.Second)
		want := time.Duration(1e9 * math.Exp(-1))
		if got := b.State(0).Peak; got < want-time.Millisecond || got > want+time.Millisecond {
			t.Errorf("10s later, with nothing heard: %s, want %s", got, want)
		}
		for range 100 {
			time.Sleep(time.Second)
			observe(time.Millisecond)
		}
		if got := b.State(0).Peak; got > 2*time.Millisecond {
			t.Errorf("long after: %s", got)
		}
	})
}

func TestEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := balance.New(1, balance.Options{Random: func() float64 { return 0.5 }}) // no jitter
		fail := func() (ejected bool) {
			for range 5 {
				if ejected {
					t.Fatal("ejected before the fifth failure")
				}
				ejected = b.Failed(b.Pick(anyone))
			}
			return ejected
		}
		for n := 1; n <= 40; n++ {
			if !fail() || !b.State(0).Ejected || b.Pick(anyone) != -1 {
				t.Fatalf("not ejected by 5 failures, time %d", n)
			}
			length := time.Duration(min(n, 30)) * time.Second
			time.Sleep(length - 1)
			if b.Pick(anyone) != -1 {
				t.Fatalf("time %d: back before %s", n, length)
			}
			time.Sleep(time.Nanosecond)
		}
		b.Succeeded(b.Pick(anyone), 1)
		fail()
		time.Sleep(time.Second)
		if b.Pick(anyone) != 0 {
			t.Error("after a success, an ejection is not the first again")
		}
		if got := b.State(0).Ejections; got != 41 {
			t.Errorf("%d ejections", got)
		}
	})
}

func TestEjectionEndsAtDifferentTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hosts = 1000
		b := balance.New(hosts, balance.Options{})
		for i := range hosts {
			only := func(j int) bool { return i == j }
			for b.Failed(b.Pick(only)) {
			}
			for range 4 {
				b.Failed(b.Pick(only))
			}
		}
		back := func() (n int) {
			for i := range hosts {
				if !b.State(i).Ejected {
					n++
				}
			}
			return n
		}
		for _, tc := range []struct {
			after       time.Duration
			least, most int
		}{{799 * time.Millisecond, 0, 0}, {200 * time.Millisecond, 400, 600}, {202 * time.Millisecond, hosts, hosts}} {
			time.Sleep(tc.after)
			if n := back(); n < tc.least || n > tc.most {
				t.Errorf("%s later %d are back", tc.after, n)
			}
		}
	})
}

// A success in between begins the count anew, and requests that were under way do not prolong an ejection.
func TestFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := balance.New(1, balance.Options{Random: func() float64 { return 0.5 }})
		for range 10 {
			for range 4 {
				if b.Failed(b.Pick(anyone)) {
					t.Fatal("ejected by 4")
				}
			}
			b.Succeeded(b.Pick(anyone), time.Millisecond)
		}
		for range 10 {
			b.Pick(anyone)
		}
		for range 10 {
			b.Failed(0)
		}
		time.Sleep(time.Second)
		if s := b.State(0); s.Ejected || s.Ejections != 1 || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Slow answers make a host the last choice, and do not eject it.
func TestSlowIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := balance.New(2, balance.Options{})
		for range 10 {
			b.Slow(b.Pick(func(i int) bool { return i == 0 }), time.Second)
			b.Succeeded(b.Pick(func(i int) bool { return i == 1 }), time.Millisecond)
		}
		if b.State(0).Ejected {
			t.Error("ejected")
		}
		if b.Pick(anyone) != 1 || b.Pick(func(i int) bool { return i == 0 }) != 0 {
			t.Error("it is not the last choice")
		}
	})
}

func TestPickAllocatesNothing(t *testing.T) {
	b := balance.New(5, balance.Options{})
	if n := testing.AllocsPerRun(1000, func() { b.Succeeded(b.Pick(anyone), time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPick(b *testing.B) {
	for name, hosts := range map[string]int{"two": 2, "ten": 10} {
		b.Run(name, func(b *testing.B) {
			balancer := balance.New(hosts, balance.Options{})
			b.ReportAllocs()
			for b.Loop() {
				balancer.Succeeded(balancer.Pick(anyone), time.Millisecond)
			}
		})
	}
}
