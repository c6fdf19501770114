package limit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

func rider(name string, stays bool) limit.Ask {
	a := ordinary
	a.Rider, a.Stays = name, stays
	return a
}

func named(name string) func(any) bool { return func(r any) bool { return r == name } }

func anyone(any) bool { return true }

// full is a limiter without a free permit.
func full(t *testing.T) (*limit.Limiter, limit.Permit) {
	l := limit.New(limit.Options{Max: 1})
	return l, acquire(t, l, ordinary)
}

func TestRidersGetTheirResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := full(t)
		alone := begin(t.Context(), l, ordinary)
		a, b := begin(t.Context(), l, rider("a", false)), begin(t.Context(), l, rider("b", false))
		taken := l.Board(make([]*limit.Waiter, 0, 7), false, named("b"))
		if len(taken) != 1 || taken[0].Rider() != "b" {
			t.Fatalf("%v", taken)
		}
		l.Depart(taken)
		if b.over {
			t.Fatal("its wait is over before there is a result")
		}
		if !taken[0].Pass("done") {
			t.Error("it has gone")
		}
		synctest.Wait()
		if b.passed != "done" || b.err != nil {
			t.Errorf("%+v", b)
		}
		b.Release(limit.Outcome{}) // of no permit
		if s := l.Stats(); s.InFlight != 1 || s.Queued != 2 {
			t.Errorf("%+v", s)
		}
		for _, next := range []*outcome{alone, a} {
			p.Release(limit.Outcome{})
			synctest.Wait()
			if !next.over || next.passed != nil {
				t.Fatalf("%+v", next)
			}
			p = next.Permit
		}
	})
}

func TestHalfOfTheQueueIsTakenAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := full(t)
		for range 5 {
			begin(t.Context(), l, rider("a", false))
		}
		for _, want := range []int{3, 1, 1, 0} {
			room := make([]*limit.Waiter, 0, 4)
			if want == 1 {
				room = room[:0:1]
			}
			taken := l.Board(room, true, anyone)
			l.Depart(taken)
			for _, w := range taken {
				w.Pass(nil)
			}
			if len(taken) != want {
				t.Fatalf("%d taken, want %d", len(taken), want)
			}
		}
	})
}

// Before Depart, somebody still works with the rider: Acquire returns only after it, or, if it stays, with its result.
func TestRidersThatLeave(t *testing.T) {
	for name, test := range map[string]struct{ stays, departed bool }{
		"a read, boarding":  {false, false},
		"a read, boarded":   {false, true},
		"a write, boarding": {true, false},
		"a write, boarded":  {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, p := full(t)
				defer func() { p.Release(limit.Outcome{}) }()
				ctx, cancel := context.WithCancel(t.Context())
				w := begin(ctx, l, rider("a", test.stays))
				taken := l.Board(make([]*limit.Waiter, 0, 1), false, anyone)
				if test.departed {
					l.Depart(taken)
				}
				cancel()
				synctest.Wait()
				if gone := !test.stays && test.departed; w.over != gone {
					t.Fatalf("over: %v", w.over)
				}
				if !test.departed {
					l.Depart(taken)
					synctest.Wait()
				}
				if w.over == test.stays {
					t.Fatalf("after its departure: over %v", w.over)
				}
				if taken[0].Pass("done") != test.stays {
					t.Error("it is not known whether it has gone")
				}
				synctest.Wait()
				if !test.stays && !errors.Is(w.err, context.Canceled) || test.stays && w.passed != "done" {
					t.Errorf("%+v", w)
				}
			})
		})
	}
}

func TestTheWaitOfARiderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := full(t)
		ask := rider("a", false)
		ask.Wait = time.Second
		w := begin(t.Context(), l, ask)
		taken := l.Board(make([]*limit.Waiter, 0, 1), false, anyone)
		l.Depart(taken)
		time.Sleep(time.Second)
		synctest.Wait()
		shedFor(t, w.err, limit.WaitOver)
		if taken[0].Pass(nil) {
			t.Error("it has gone, and gets a result")
		}
	})
}
