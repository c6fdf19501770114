package limit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

func TestRetriesAreAShareOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst, requests = 20, 10000
		b := limit.NewRetryBudget(limit.RetryOptions{Burst: burst})
		for range requests { // each fails, and would be tried again
			b.Request()
			b.Retry(1)
		}
		got := b.Stats()
		const most = burst + requests/10 + 3 // the time stands still
		if got.Spent > most || got.Spent < most-1 || got.Spent+got.Denied != requests {
			t.Errorf("%+v of %d requests", got, requests)
		}
	})
}

func TestAFewRetriesNeedNoRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.NewRetryBudget(limit.RetryOptions{Burst: 1})
		b.Retry(1)
		for range 10 {
			allowed := 0
			for b.Retry(1) {
				allowed++
			}
			if allowed != 3 {
				t.Fatalf("%d retries after 10 s", allowed)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

func TestARequestHasThreeTries(t *testing.T) {
	b := limit.NewRetryBudget(limit.RetryOptions{})
	if !b.Retry(1) || !b.Retry(2) || b.Retry(3) {
		t.Error("not three tries")
	}
}

func TestRetriesOfClientsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.NewRetryBudget(limit.RetryOptions{Burst: 5})
		b.Sent(2)
		if left := b.Stats().Left; left != 3 {
			t.Errorf("%v left", left)
		}
		for range 10 { // whatever a client says, half is left to others
			b.Sent(1 << 30)
		}
		if left := b.Stats().Left; left != 3 {
			t.Errorf("%v left", left)
		}
		for range 3 {
			if !b.Retry(1) {
				t.Errorf("%+v", b.Stats())
			}
		}
		if left := b.Stats().Left; left != 0 {
			t.Errorf("%v left", left)
		}
	})
}

func TestPausesAreWithinBounds(t *testing.T) {
	b := limit.NewRetryBudget(limit.RetryOptions{})
	longest := time.Duration(0)
	for tries := range 100 {
		for range 100 {
			p := b.Pause(tries)
			if p < 5*time.Millisecond || p > 100*time.Millisecond || tries < 2 && p > 10*time.Millisecond {
				t.Fatalf("%s after %d tries", p, tries)
			}
			longest = max(longest, p)
		}
	}
	if longest < 50*time.Millisecond {
		t.Errorf("%s at most", longest)
	}
}

func TestTheBudgetHoldsForMany(t *testing.T) {
	b := limit.NewRetryBudget(limit.RetryOptions{Burst: 50, Window: time.Hour})
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				b.Request()
				if b.Retry(1) {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n > 50+800+3 {
		t.Errorf("%d retries of 8000 requests", n)
	}
}

func TestTheBudgetAllocatesNothing(t *testing.T) {
	b := limit.NewRetryBudget(limit.RetryOptions{})
	if n := testing.AllocsPerRun(1000, func() { b.Request(); b.Retry(1); b.Pause(1); b.Sent(1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRetryBudget(b *testing.B) {
	budget := limit.NewRetryBudget(limit.RetryOptions{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			budget.Request()
		}
	})
}
