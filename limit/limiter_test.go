package limit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

var ordinary = limit.Ask{Priority: limit.Priority{Tier: limit.Default}}

func acquire(t *testing.T, l *limit.Limiter, a limit.Ask) limit.Permit {
	t.Helper()
	p, _, err := l.Acquire(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// outcome is what an Acquire has come to.
type outcome struct {
	limit.Permit
	passed any
	err    error
	over   bool
}

// begin calls Acquire, in a bubble of synctest, and returns when that waits or is over.
func begin(ctx context.Context, l *limit.Limiter, a limit.Ask) *outcome {
	o := new(outcome)
	go func() {
		o.Permit, o.passed, o.err = l.Acquire(ctx, a)
		o.over = true
	}()
	synctest.Wait()
	return o
}

func shedFor(t *testing.T, err error, want limit.Reason) {
	t.Helper()
	var shed *limit.ShedError
	if !errors.As(err, &shed) || shed.Reason != want {
		t.Errorf("%v, want a shed for %q", err, want)
	}
}

func TestFirstComeFirstServed(t *testing.T) {
	for name, fixed := range map[string]bool{"adaptive": false, "fixed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limit.New(limit.Options{Max: 1, Fixed: fixed})
				p := acquire(t, l, ordinary)
				first, second := begin(t.Context(), l, ordinary), begin(t.Context(), l, ordinary)
				p.Release(limit.Outcome{})
				synctest.Wait()
				if !first.over || second.over {
					t.Fatalf("first %v, second %v", first.over, second.over)
				}
				first.Release(limit.Outcome{})
				synctest.Wait()
				second.Release(limit.Outcome{})
				if s := l.Stats(); s.InFlight != 0 || s.Queued != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestBetterTiersGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 1})
		p := acquire(t, l, ordinary)
		var waiting [4]*outcome
		for tier := limit.Background; ; tier-- {
			waiting[tier] = begin(t.Context(), l, limit.Ask{Priority: limit.Priority{Tier: tier}})
			if tier == limit.Critical {
				break
			}
		}
		for tier, w := range waiting {
			p.Release(limit.Outcome{})
			synctest.Wait()
			if !w.over || w.err != nil {
				t.Fatalf("%v is not next: %v", limit.Tier(tier), w.err)
			}
			p = w.Permit
		}
	})
}

func TestWhoLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 1})
		p := acquire(t, l, ordinary)
		ctx, cancel := context.WithCancel(t.Context())
		left := begin(ctx, l, ordinary)
		ask := ordinary
		ask.Wait = time.Second
		impatient, patient := begin(t.Context(), l, ask), begin(t.Context(), l, ordinary)
		cancel()
		time.Sleep(time.Second)
		synctest.Wait()
		if !errors.Is(left.err, context.Canceled) {
			t.Errorf("left with %v", left.err)
		}
		shedFor(t, impatient.err, limit.WaitOver)
		p.Release(limit.Outcome{})
		synctest.Wait()
		if !patient.over || patient.err != nil {
			t.Errorf("%+v", patient)
		}
	})
}

func TestNoTimeForTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 1})
		ask := ordinary
		ask.Shape = new(limit.Baseline)
		p := acquire(t, l, ask)
		p.Release(limit.Outcome{Took: time.Second, Shape: ask.Shape})
		p = acquire(t, l, ordinary)
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		defer cancel()
		shedFor(t, begin(ctx, l, ask).err, limit.Deadline)
		longer, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		late := begin(longer, l, ask)
		time.Sleep(600 * time.Millisecond)
		p.Release(limit.Outcome{})
		synctest.Wait()
		shedFor(t, late.err, limit.Deadline)
	})
}

func TestTheWorstIsPushedOutOfAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 1, Queue: 2})
		p := acquire(t, l, ordinary)
		worst := limit.Ask{Priority: limit.Priority{Tier: limit.Background}}
		older, newer := begin(t.Context(), l, worst), begin(t.Context(), l, worst)
		shedFor(t, begin(t.Context(), l, worst).err, limit.QueueFull)
		better := begin(t.Context(), l, ordinary)
		shedFor(t, newer.err, limit.QueueFull)
		p.Release(limit.Outcome{})
		synctest.Wait()
		if !better.over || older.over {
			t.Error("the better one is not next")
		}
		better.Release(limit.Outcome{})
		synctest.Wait()
		older.Release(limit.Outcome{})
	})
}

func TestAClassFindsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 10, Classes: threeClasses})
		read, write, rpc := ordinary, ordinary, ordinary
		write.Class, rpc.Class = 1, 2
		var reads []limit.Permit
		for range 9 { // more than its share; one is left to the others
			reads = append(reads, acquire(t, l, read))
		}
		tenth := begin(t.Context(), l, read)
		if tenth.over {
			t.Fatal("the last permit was borrowed")
		}
		acquire(t, l, write)
		second := begin(t.Context(), l, rpc)
		reads[0].Release(limit.Outcome{})
		synctest.Wait()
		if !second.over || tenth.over {
			t.Error("who borrows goes before who has a share")
		}
		for _, p := range reads[1:] {
			p.Release(limit.Outcome{})
		}
		synctest.Wait()
		if !tenth.over {
			t.Error("nobody else waits, and it does not get a permit")
		}
	})
}

func TestBetterTiersBorrowFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 4, Classes: []limit.Class{{Name: "a", Share: 0.25}, {Name: "b", Share: 0.25}, {Name: "c", Share: 0.5}}})
		a, b := ordinary, limit.Ask{Class: 1, Priority: limit.Priority{Tier: limit.Critical}}
		p := acquire(t, l, a)
		for _, other := range []limit.Ask{a, b, b} {
			acquire(t, l, other)
		}
		hasLess, isBetter := begin(t.Context(), l, a), begin(t.Context(), l, b)
		p.Release(limit.Outcome{})
		synctest.Wait()
		if !isBetter.over || hasLess.over {
			t.Error("the better one is not next")
		}
	})
}

func TestAShareIsUsedToTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 10, Classes: []limit.Class{{Name: "most", Share: 0.9}, {Name: "a", Share: 0.05}, {Name: "b", Share: 0.05}}})
		for range 9 {
			if ninth := begin(t.Context(), l, ordinary); !ninth.over {
				t.Fatal("a permit of its own share is kept from it")
			}
		}
	})
}

func TestOneTenantLeavesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 4})
		one, other := ordinary, ordinary
		one.Tenant, other.Tenant = limit.TenantOf("one"), limit.TenantOf("other")
		var permits []limit.Permit
		for range 4 {
			permits = append(permits, acquire(t, l, one)) // nobody else wants any
		}
		more, its := begin(t.Context(), l, one), begin(t.Context(), l, other)
		permits[0].Release(limit.Outcome{})
		synctest.Wait()
		if more.over || !its.over {
			t.Error("the other tenant is not next")
		}
		permits[1].Release(limit.Outcome{})
		synctest.Wait()
		if !more.over {
			t.Error("nobody else waits, and it is still passed over")
		}
	})
}
