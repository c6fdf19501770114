package loadtest

import (
	"context"
	"time"
)

// alarm wakes at exact times. One goroutine uses it.
type alarm interface {
	// until returns at the time, or at once when it has passed, or as soon as the context that the alarm was made with ends.
	until(time.Time)
	close()
}

// timerAlarm is Go's timers: exact in virtual time, to a millisecond or so otherwise.
type timerAlarm struct {
	done  <-chan struct{}
	timer *time.Timer
}

func newTimerAlarm(ctx context.Context) alarm {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return timerAlarm{ctx.Done(), t}
}

func (a timerAlarm) until(t time.Time) {
	d := time.Until(t)
	if d <= 0 {
		return
	}
	a.timer.Reset(d)
	select {
	case <-a.timer.C:
	case <-a.done:
		a.timer.Stop()
	}
}

func (a timerAlarm) close() { a.timer.Stop() }
