package limit

import (
	"context"
	"time"
)

// Waiter is a request in the queue. Who holds a permit may do the work of some of them together with its own: see Board.
type Waiter struct {
	limiter *Limiter
	class   *class
	ask     Ask
	since   time.Duration
	until   time.Duration // its deadline; 0: none

	// turn gets a value when the wait is over; then the outcome is set.
	turn   chan struct{}
	permit Permit
	passed any
	err    error

	state      state
	prev, next *Waiter
}

type state uint8

const (
	idle     state = iota // has its outcome
	queued                // is in the queue
	boarding              // somebody takes it along
	boarded               // is on the way; its turn comes when its result is passed
	leaving               // gives up, while it is boarding
	gone                  // has given up
)

// Rider returns what was asked with.
func (w *Waiter) Rider() any { return w.ask.Rider }

// Pass ends the Acquire of a waiter that was boarded, with result and no permit. It reports false if the waiter has gone.
// It is called once for each.
func (w *Waiter) Pass(result any) bool {
	w.limiter.mu.Lock()
	defer w.limiter.mu.Unlock()
	if w.state == gone {
		return false
	}
	w.passed = result
	w.end()
	return true
}

// end gives the outcome to who waits. The limiter is locked.
func (w *Waiter) end() {
	w.state = idle
	w.turn <- struct{}{}
}

// Board takes waiters with riders that match out of the queue, best first, as many as dst has room for, and of half the
// queue at most if half is set; it appends them to dst. None of them leaves before Depart. Match must not call the limiter.
//
// Each is to get its result by Pass; until then its Acquire waits, unless its context ends after Depart, and it does not
// stay. For those who stay, Depart is not needed.
func (l *Limiter) Board(dst []*Waiter, half bool, match func(rider any) bool) []*Waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := cap(dst)
	if half {
		most = min(most, (l.queued+1)/2)
	}
	now := l.now()
	for i := range l.classes {
		c := &l.classes[i]
		lifo := c.lifo(now)
		for t := range c.queue.tiers {
			for w := c.queue.tiers[t].first(lifo); w != nil && len(dst) < most; {
				next := w.following(lifo)
				if w.ask.Rider != nil && match(w.ask.Rider) {
					l.unqueue(w)
					c.admission.served++
					c.admission.shortest = min(c.admission.shortest, c.queue.length)
					w.state = boarding
					dst = append(dst, w)
				}
				w = next
			}
		}
	}
	return dst
}

// Depart lets those leave again that Board has taken. It comes before Pass.
func (l *Limiter) Depart(taken []*Waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range taken {
		switch w.state {
		case leaving:
			w.end()
			w.state = gone
		case boarding:
			w.state = boarded
		}
	}
}

// wait waits for the turn of w, until ctx is done or w has waited for as long as it wants.
func (l *Limiter) wait(ctx context.Context, w *Waiter) (Permit, any, error) {
	var over <-chan time.Time
	if w.ask.Wait > 0 {
		timer := l.timers.Get().(*time.Timer)
		timer.Reset(w.ask.Wait)
		over = timer.C
		defer func() {
			timer.Stop() // and nothing is left in its channel (https://pkg.go.dev/time#Timer.Stop)
			l.timers.Put(timer)
		}()
	}
	select {
	case <-w.turn:
		return l.outcome(w)
	case <-ctx.Done():
		return l.leave(w, ctx.Err())
	case <-over:
		return l.leave(w, nil)
	}
}

func (l *Limiter) outcome(w *Waiter) (Permit, any, error) {
	permit, passed, err := w.permit, w.passed, w.err
	*w = Waiter{turn: w.turn}
	l.waiters.Put(w)
	return permit, passed, err
}

// leave gives up waiting with err, nil for the end of its own wait, unless the turn has come in the same moment, or it
// stays. Nobody uses its rider after it. One that was boarded is not used again, as others still know it.
func (l *Limiter) leave(w *Waiter, err error) (Permit, any, error) {
	l.mu.Lock()
	switch {
	case w.state == queued:
		l.unqueue(w)
		w.state = idle
	case w.state == boarded && !w.ask.Stays:
		w.state = gone
		err = l.over(w, err)
		l.mu.Unlock()
		return Permit{}, nil, err
	case w.state == boarding && !w.ask.Stays:
		w.state = leaving
		err = l.over(w, err)
		l.mu.Unlock()
		<-w.turn
		return Permit{}, nil, err
	default:
		l.mu.Unlock()
		<-w.turn
		return l.outcome(w)
	}
	w.err = l.over(w, err)
	l.mu.Unlock()
	return l.outcome(w)
}

// over is the error of a waiter that gives up.
func (l *Limiter) over(w *Waiter, err error) error {
	if err != nil {
		return err
	}
	return l.shed(w.class, w.ask.Priority.Tier, WaitOver)
}
