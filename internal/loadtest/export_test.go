package loadtest

import (
	"context"
	"math"
	"time"
)

// RunVirtual is Run with Go's timers, which are exact in a bubble of testing/synctest.
func RunVirtual(ctx context.Context, l Load) (*Result, error) { return run(ctx, l, newTimerAlarm) }

// Times are all times at which a phase's requests are due.
func Times(p Phase, spacing Arrivals, seed uint64) []time.Duration {
	var all []time.Duration
	a := newArrivals(p, spacing, seed, 0)
	for t, ok := a.next(); ok; t, ok = a.next() {
		all = append(all, t)
	}
	return all
}

// DueUntil is how many of a phase's requests are due in its first part, on average.
func DueUntil(p Phase, until time.Duration) float64 { return p.due(until) }

// SleepUntil sleeps as the pacer does.
func SleepUntil(ctx context.Context, t time.Time) {
	a := newAlarm(ctx)
	defer a.close()
	a.until(t)
}

// Answer is what came of an exchange.
type Answer struct {
	Status      int
	Body        []byte
	Problem     string
	Keep, Stale bool
	Unsent      bool
}

// Exchange opens a connection of HTTP/1.1 and returns what sends a request over it, and what closes it.
func Exchange(ctx context.Context, l Load, keepBody bool) (send func(r *Request) Answer, closes func(), err error) {
	l = l.withDefaults()
	c, err := newHTTP1(&dialer{load: &l}).connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	left := false
	return func(r *Request) Answer {
		a := c.exchange(r, left, keepBody)
		left = true
		return Answer{a.status, a.body, a.problem, a.keep, a.stale, a.unsent}
	}, c.close, nil
}

// FindKneeVirtual is FindKnee with RunVirtual.
func FindKneeVirtual(ctx context.Context, l Load, slo SLO, o KneeOptions) (*Knee, error) {
	s := &search{load: l, options: o.withDefaults(), knee: &Knee{SLO: slo}, run: RunVirtual, breaks: math.Inf(1)}
	return s.find(ctx)
}

// Merged is the length and the counts of a series after requests that were due at some times.
func Merged(due []time.Duration) (time.Duration, []Interval) {
	s := newSeries()
	for _, d := range due {
		s.add(&sample{event: answered, due: d, done: d + time.Millisecond, timed: true})
	}
	return s.length, s.intervals
}
