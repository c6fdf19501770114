package replicas

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/limit"
)

// What asOf says is never later than the truth, and not much earlier where samples are not old.
func TestAsOf(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var s samples
	position := func(lsn uint64) pg.Position { return pg.Position{LSN: lsn, Timeline: 1, System: 7} }
	var truth []sample
	lsn := uint64(1000)
	for n := range 5000 {
		if random.IntN(3) > 0 {
			lsn += 1 + random.Uint64N(100)
		}
		at := time.Duration(n) * time.Second
		s.add(at, position(lsn), "db")
		truth = append(truth, sample{at, lsn})
	}
	if len(s.all) > mostSamples {
		t.Errorf("%d samples are kept", len(s.all))
	}
	for n := range truth {
		replayed := truth[n].lsn
		got, ok := s.asOf(history{7, 1}, replayed)
		last := truth[n].at
		for i := n; i < len(truth) && truth[i].lsn <= replayed; i++ {
			last = truth[i].at
		}
		switch late := truth[len(truth)-1].at - last; {
		case !ok || got > last:
			t.Fatalf("%d is as of %s, %t; it was the position until %s", replayed, got, ok, last)
		case late < 60*time.Second && got != last:
			t.Errorf("%s behind, it is taken for %s more", late, last-got)
		}
	}
	if _, ok := s.asOf(history{7, 1}, truth[0].lsn-1); ok {
		t.Error("what was replayed before the first sample is as of some time")
	}
	// Positions of another timeline mean something else.
	s.add(6000*time.Second, pg.Position{LSN: 50, Timeline: 2, System: 7}, "db")
	if at, ok := s.asOf(history{7, 2}, lsn); !ok || at != 6000*time.Second {
		t.Error(at, ok)
	}
	if _, ok := s.asOf(history{7, 1}, lsn); ok {
		t.Error("the history before is taken for the present one")
	}
	if !s.add(6001*time.Second, pg.Position{LSN: 50, Timeline: 2, System: 8}, "db") {
		t.Error("another system went unnoticed")
	}
}

// While the primary cannot be asked, replicas do not get any further behind.
func TestReferenceWithoutAPrimary(t *testing.T) {
	var s samples
	s.add(5*time.Second, pg.Position{LSN: 1, Timeline: 1, System: 1}, "db")
	if got := s.reference(8 * time.Second); got != 8*time.Second {
		t.Error(got)
	}
	s.lost()
	if got := s.reference(100 * time.Second); got != 5*time.Second {
		t.Error(got)
	}
	s.add(101*time.Second, pg.Position{LSN: 2, Timeline: 1, System: 1}, "db")
	if got := s.reference(102 * time.Second); got != 102*time.Second {
		t.Error(got)
	}
}

// However many write, nobody's last write is forgotten, and memory is bounded.
func TestWritersAreNotForgotten(t *testing.T) {
	var w writers
	const all = 5 * mostWriters
	for n := range uint64(all) {
		w.wrote(n, Need{LSN: n + 1})
	}
	for n := range uint64(all) {
		if got := w.need(n).LSN; got < n+1 {
			t.Fatalf("writer %d needs %d only", n, got)
		}
	}
	if len(w.young) > mostWriters || len(w.old) > mostWriters {
		t.Errorf("%d and %d are kept", len(w.young), len(w.old))
	}
	if got := w.need(all + 1).LSN; got == 0 || got > all-mostWriters {
		t.Errorf("who has not written needs %d", got)
	}
	w.wrote(7, Need{After: time.Second})
	w.wrote(7, Need{LSN: 1})
	if got := w.need(7); got.After != time.Second {
		t.Errorf("%+v", got)
	}
	w.forget(Need{After: 2 * time.Second})
	if got := w.need(7); got != (Need{After: 2 * time.Second}) {
		t.Errorf("%+v", got)
	}
}

func TestFallbacksWaitForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fallbacks
		f.init(10, false)
		some := limit.Ask{Priority: limit.Priority{Tier: limit.Default}}
		enter := func() (limit.Permit, error) { return f.enter(t.Context(), noneReadable, some) }
		var first limit.Permit
		for range 3 {
			var err error
			if first, err = enter(); err != nil {
				t.Fatal(err)
			}
		}
		time.AfterFunc(fallbackWait/2, func() { first.Release(limit.Outcome{}) })
		if _, err := enter(); err != nil {
			t.Errorf("a place became free: %v", err)
		}
		if _, err := enter(); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.enter(ctx, allFailed, some); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if f.counts[noneReadable].Load() != 5 || f.counts[allFailed].Load() != 1 || f.full.Load() != 1 {
			t.Error("miscounted")
		}
	})
}

func TestAPanicLeavesNoPermitBehind(t *testing.T) {
	var f fallbacks
	f.init(4, true) // one permit
	do := func(read func() error) error {
		return f.do(t.Context(), noneReadable, limit.Ask{Priority: limit.Priority{Tier: limit.Default}}, func() time.Duration { return 0 }, read)
	}
	func() {
		defer func() { _ = recover() }()
		_ = do(func() error { panic("a sink's mistake") })
	}()
	if err := do(func() error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestNeeds(t *testing.T) {
	for _, tc := range []struct{ a, b, want Need }{
		{Need{}, Need{}, Need{}},
		{Need{LSN: 3}, Need{LSN: 2, After: 5}, Need{LSN: 3, After: 5}},
		{Need{MaxLag: 3}, Need{}, Need{MaxLag: 3}},
		{Need{MaxLag: 3}, Need{MaxLag: 2}, Need{MaxLag: 2}},
	} {
		if got := tc.a.And(tc.b); got != tc.want {
			t.Errorf("%+v, want %+v", got, tc.want)
		}
		if got := tc.b.And(tc.a); got != tc.want {
			t.Errorf("the other way round %+v, want %+v", got, tc.want)
		}
	}
}

// Only statements of which it is known how long they take have a limit.
func TestLimits(t *testing.T) {
	if limitOf(nil) != 0 || limitOf([]pg.Statement{{}}) != 0 || limitOf([]pg.Statement{{Pace: new(pg.Pace)}}) != 0 {
		t.Error("what was never run has a limit")
	}
	if relative(time.Second, []pg.Statement{{Pace: new(pg.Pace)}}) != 0 {
		t.Error("what was never run tells how quick a server is")
	}
}

func TestErrorsThatAnotherServerMayNotGive(t *testing.T) {
	for code, want := range map[string]bool{
		"40001": true, "40P01": true, "53200": true, "57P03": true, "58030": true, "XX001": true,
		"57014": false, "22012": false, "42501": false, "P0001": false, "25006": false,
	} {
		if elsewhere(&pg.Error{Code: code}) != want {
			t.Errorf("%s: %t", code, !want)
		}
	}
	for _, err := range []error{&pg.ConnectError{Err: errGone}, &pg.LostError{Err: errGone}, errGone, errSlow, pg.ErrBehind, pg.ErrClosed} {
		if !elsewhere(err) {
			t.Error(err)
		}
	}
	if elsewhere(pg.ErrAcquireTimeout) || elsewhere(context.Canceled) {
		t.Error("who waits for too long, or leaves, would be served elsewhere")
	}
}
