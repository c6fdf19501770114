package limit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/slipstream-go/slipstream/limit"
)

// model is what is known of a limiter from outside.
type model struct {
	*limit.Limiter
	options limit.Options
	held    []*outcome
	waiting []*request
}

type request struct {
	*outcome
	leave context.CancelFunc
	class int
}

// TestNobodyIsLost does at random what callers do. Whatever that is: no more permits are out than there may be, nobody
// waits for a permit that is there, and at the end nobody waits at all.
func TestNobodyIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Without Deadline, which rapid asks for, and which a bubble forbids.
		rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) {
			o := limit.Options{
				Max: rapid.IntRange(1, 12).Draw(t, "max"), Queue: rapid.IntRange(1, 30).Draw(t, "queue"),
				Fixed: rapid.IntRange(0, 5).Draw(t, "fixed") == 0,
			}
			if rapid.Bool().Draw(t, "classes") {
				o.Classes = threeClasses
			}
			m := &model{Limiter: limit.New(o), options: o}
			t.Repeat(map[string]func(*rapid.T){
				"":        m.check,
				"acquire": m.acquire, "release": m.release, "leave": m.leave, "board": m.board,
				"sleep": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 500).Draw(t, "ms")) * time.Millisecond)
				},
			})
			m.end(t)
		})
	})
}

func (m *model) acquire(t *rapid.T) {
	a := limit.Ask{
		Priority: limit.Priority{Tier: limit.Tier(rapid.IntRange(0, 3).Draw(t, "tier")), Cohort: rapid.Uint8().Draw(t, "cohort")},
		Tenant:   uint64(rapid.IntRange(0, 3).Draw(t, "tenant")),
		Rider:    rapid.SampledFrom([]any{nil, "rider"}).Draw(t, "rider"),
		Stays:    rapid.Bool().Draw(t, "stays"),
		Wait:     time.Duration(rapid.IntRange(0, 1000).Draw(t, "wait")) * time.Millisecond,
		Class:    rapid.IntRange(0, max(0, len(m.options.Classes)-1)).Draw(t, "class"),
	}
	ctx, leave := context.WithCancel(context.Background())
	m.waiting = append(m.waiting, &request{begin(ctx, m.Limiter, a), leave, a.Class})
	m.sort()
}

// sort finds out who waits no more.
func (m *model) sort() {
	synctest.Wait()
	still := m.waiting[:0]
	for _, r := range m.waiting {
		switch {
		case !r.over:
			still = append(still, r)
		case r.Permit != limit.Permit{}:
			m.held = append(m.held, r.outcome)
		}
	}
	m.waiting = still
}

func (m *model) release(t *rapid.T) {
	if len(m.held) == 0 {
		t.Skip()
	}
	i := rapid.IntRange(0, len(m.held)-1).Draw(t, "i")
	m.held[i].Release(limit.Outcome{
		Took:   time.Duration(rapid.IntRange(0, 100).Draw(t, "ms")) * time.Millisecond,
		Failed: rapid.SampledFrom([]limit.Failure{limit.None, limit.None, limit.TimedOut, limit.Refused, limit.Ignore}).Draw(t, "failed"),
	})
	m.held = append(m.held[:i], m.held[i+1:]...)
	m.sort()
}

func (m *model) leave(t *rapid.T) {
	if len(m.waiting) == 0 {
		t.Skip()
	}
	m.waiting[rapid.IntRange(0, len(m.waiting)-1).Draw(t, "i")].leave()
	m.sort()
}

func (m *model) board(t *rapid.T) {
	taken := m.Board(make([]*limit.Waiter, 0, 4), rapid.Bool().Draw(t, "half"), anyone)
	if rapid.Bool().Draw(t, "one leaves") && len(m.waiting) > 0 {
		m.leave(t)
	}
	m.Depart(taken)
	for _, w := range taken {
		w.Pass("result")
	}
	m.sort()
}

func (m *model) check(t *rapid.T) {
	m.sort()
	s := m.Stats()
	if s.InFlight != len(m.held) || s.InFlight > s.Max || s.Queued != len(m.waiting) {
		t.Fatalf("%d permits are out and %d wait; %+v", len(m.held), len(m.waiting), s)
	}
	idle := 0
	for _, c := range s.Classes {
		if c.InFlight == 0 {
			idle++
		}
	}
	for i, c := range s.Classes {
		share, others := s.Max, 0
		if len(s.Classes) > 1 {
			share = max(1, int(threeClasses[i].Share*float64(s.Max)+0.001))
		}
		if s.Max >= 8 {
			others = idle
		}
		free := s.Max - s.InFlight
		if c.Queued > 0 && c.InFlight < c.Limit && free > 0 && (c.InFlight < share || free > others) {
			t.Fatalf("somebody waits, though there is a permit: %+v", s)
		}
	}
}

func (m *model) end(t *rapid.T) {
	for len(m.held) > 0 {
		held := m.held
		m.held = nil
		for _, p := range held {
			p.Release(limit.Outcome{})
		}
		m.sort()
	}
	if s := m.Stats(); len(m.waiting) > 0 || s.Queued > 0 || s.InFlight > 0 {
		t.Fatalf("%d still wait: %+v", len(m.waiting), s)
	}
}
