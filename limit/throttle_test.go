package limit_test

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// ask makes n requests, evenly within a time, and returns how many were allowed.
func ask(t *limit.Throttle, n int, within time.Duration, ok func(i int) bool) (allowed int) {
	for i := range n {
		time.Sleep(within / time.Duration(n))
		if t.Allow() {
			allowed++
			t.Done(ok(i))
		}
	}
	return allowed
}

func always(int) bool { return true }
func never(int) bool  { return false }

func TestAThrottleAllowsAllWhileMostIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var throttle limit.Throttle
		if n := ask(&throttle, 10_000, 30*time.Second, func(i int) bool { return i%10 < 6 }); n != 10_000 {
			t.Errorf("%d of 10000 were allowed", n)
		}
	})
}

func TestAThrottleWaitsForTwentyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var throttle limit.Throttle
		if n := ask(&throttle, 20, time.Second, never); n != 20 {
			t.Errorf("%d of 20 were allowed", n)
		}
		if s := throttle.Stats(); s != (limit.ThrottleStats{Requests: 20, Refusal: 0.9}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestAThrottleSparesAnUpstreamThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var throttle limit.Throttle
		ask(&throttle, 1000, 10*time.Second, always)
		ask(&throttle, 2000, 20*time.Second, never)
		if n := ask(&throttle, 10_000, 100*time.Second, never); n < 700 || n > 1300 {
			t.Errorf("%d of 10000 were allowed, want about a tenth", n)
		}
		ask(&throttle, 3000, 30*time.Second, always)
		if n := ask(&throttle, 1000, 10*time.Second, always); n != 1000 {
			t.Errorf("%d of 1000 were allowed after it had recovered", n)
		}
	})
}

func TestAThrottleForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var throttle limit.Throttle
		ask(&throttle, 100, time.Second, never)
		time.Sleep(11 * time.Second)
		if s := throttle.Stats(); s != (limit.ThrottleStats{}) {
			t.Errorf("%+v", s)
		}
	})
}

// A quarter is accepted: half as many as that are refused by the upstream in vain.
func TestAThrottleFindsWhatIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var throttle limit.Throttle
		quarter := func() func(int) bool { // 25 a second of 100
			second, n := int64(0), 0
			return func(int) bool {
				if now := time.Now().Unix(); now != second {
					second, n = now, 0
				}
				n++
				return n <= 25
			}
		}()
		ask(&throttle, 3000, 30*time.Second, quarter)
		if n := ask(&throttle, 10_000, 100*time.Second, quarter); math.Abs(float64(n)-5000) > 500 {
			t.Errorf("%d of 10000 were allowed, want twice what is accepted", n)
		}
	})
}

func TestAThrottleIsForMany(t *testing.T) {
	var throttle limit.Throttle
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if throttle.Allow() {
					throttle.Done(true)
				}
				throttle.Stats()
			}
		})
	}
	all.Wait()
}

func TestAThrottleAllocatesNothing(t *testing.T) {
	var throttle limit.Throttle
	for _, ok := range []bool{true, false} {
		if n := testing.AllocsPerRun(1000, func() {
			throttle.Allow()
			throttle.Done(ok)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func BenchmarkThrottle(b *testing.B) {
	var throttle limit.Throttle
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			throttle.Allow()
			throttle.Done(true)
		}
	})
}
