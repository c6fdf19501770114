package limit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

func TestToRefuseAllocatesNothing(t *testing.T) {
	l := limit.New(limit.Options{Max: 1, Queue: 1})
	acquire(t, l, ordinary)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go l.Acquire(ctx, ordinary)
	for l.Stats().Queued == 0 {
		time.Sleep(time.Millisecond)
	}
	worst := limit.Ask{Priority: limit.Priority{Tier: limit.Background}}
	if n := testing.AllocsPerRun(1000, func() {
		_, _, err := l.Acquire(t.Context(), worst)
		if err == nil {
			t.Error("it is not refused")
		}
	}); n != 0 && !raceEnabled { // the race detector makes sync.Pool forget
		t.Errorf("%v allocations", n)
	}
}

func TestWhenToComeBack(t *testing.T) {
	l := limit.New(limit.Options{Max: 1, Classes: []limit.Class{{Name: "read", Share: 1}}})
	acquire(t, l, ordinary)
	times := map[time.Duration]bool{}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for range 1000 {
		_, _, err := l.Acquire(ctx, ordinary)
		var shed *limit.ShedError
		if !errors.As(err, &shed) || shed.Class != "read" || shed.Tier != limit.Default || shed.Reason != limit.Deadline {
			t.Fatal(err)
		}
		if shed.RetryAfter < 2*time.Second || shed.RetryAfter > 4*time.Second {
			t.Errorf("%v", shed.RetryAfter)
		}
		times[shed.RetryAfter] = true
	}
	if len(times) < 4 {
		t.Errorf("all come back at once: %v", times)
	}
	if s := l.Stats(); s.Shed(limit.Default, limit.Deadline) != 1000 {
		t.Errorf("%+v", s)
	}
}

// With protection off, everybody waits in the order in which he came, for as long as he wants.
func TestFixedShedsNobodyButForTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 2, Queue: 500, Fixed: true, Classes: threeClasses})
		d := newLoad(l, new(upstream))
		all := d.run(3*d.rate(2), 20*time.Second)
		d.all.Wait()
		all = append(all, d.run(1, time.Millisecond)...)
		last := time.Duration(0)
		for _, r := range all {
			last = max(last, r.wait)
		}
		s := l.Stats()
		for tier := range limit.Background + 1 {
			for reason := range limit.WaitOver + 1 {
				if n := s.Shed(tier, reason); n > 0 && reason != limit.QueueFull {
					t.Errorf("%d %v ones were shed: %v", n, tier, reason)
				}
			}
		}
		if last < 5*time.Second || s.Classes[0].Limit != 2 || len(s.Classes) != 1 {
			t.Errorf("the longest wait was %v; %+v", last, s)
		}
	})
}

func TestCohortsMoveEveryHour(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	seen := map[uint8]bool{}
	for hour := range 100 {
		first := at.Add(time.Duration(hour) * time.Hour)
		c := limit.CohortOf("tenant", first)
		if c != limit.CohortOf("tenant", first.Add(59*time.Minute)) || c > 127 {
			t.Errorf("cohort %d changes within an hour", c)
		}
		seen[c] = true
	}
	if len(seen) < 40 { // 69 are expected by chance
		t.Errorf("%d cohorts in 100 hours", len(seen))
	}
}

// To ask how things are changes nothing: who came first is still served first.
func TestFixedStaysInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Options{Max: 1, Fixed: true})
		held := acquire(t, l, ordinary)
		var waiting []*outcome
		for range 20 {
			waiting = append(waiting, begin(t.Context(), l, ordinary))
			time.Sleep(time.Second)
			if level := l.Level(); level != 0 {
				t.Fatalf("level %d", level)
			}
		}
		for i, w := range waiting {
			held.Release(limit.Outcome{Took: time.Second})
			synctest.Wait()
			if !w.over {
				t.Fatalf("waiter %d was passed over", i)
			}
			held = w.Permit
		}
		held.Release(limit.Outcome{})
	})
}
