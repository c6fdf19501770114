package limit_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

var threeClasses = []limit.Class{{Name: "read", Share: 0.6}, {Name: "write", Share: 0.3}, {Name: "rpc", Share: 0.1}}

// round is what a request costs when the upstream has room.
func round(l *limit.Limiter, shape *limit.Baseline, tenant uint64) error {
	p, _, err := l.Acquire(context.Background(), limit.Ask{Priority: limit.Priority{Tier: limit.Default}, Tenant: tenant, Shape: shape})
	p.Release(limit.Outcome{Took: time.Millisecond, Shape: shape})
	return err
}

func TestNothingIsAllocatedWithoutOverload(t *testing.T) {
	l := limit.New(limit.Options{Max: 10, Classes: threeClasses})
	shape := new(limit.Baseline)
	tenant := uint64(0)
	if n := testing.AllocsPerRun(10_000, func() {
		tenant++
		if err := round(l, shape, tenant); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAcquire(b *testing.B) {
	l := limit.New(limit.Options{Max: 10, Classes: threeClasses})
	shape := new(limit.Baseline)
	b.ReportAllocs()
	for i := range b.N {
		if err := round(l, shape, uint64(i%1000)+1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAcquireParallel(b *testing.B) {
	l := limit.New(limit.Options{Max: 10, Classes: threeClasses})
	shape := new(limit.Baseline)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := uint64(1); pb.Next(); i++ {
			if err := round(l, shape, i%1000); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkAcquireCrowd has four times as many callers as permits; nobody works.
func BenchmarkAcquireCrowd(b *testing.B) {
	l := limit.New(limit.Options{Max: 8, Target: time.Hour})
	shape := new(limit.Baseline)
	b.ReportAllocs()
	b.SetParallelism(16) // times two processors, on the machine that this was made on
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, _, err := l.Acquire(context.Background(), ordinary)
			if err != nil {
				b.Error(err)
				return
			}
			runtime.Gosched()
			p.Release(limit.Outcome{Took: time.Millisecond, Shape: shape})
		}
	})
}
