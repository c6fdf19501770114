package pg

import (
	"context"
	"sync/atomic"
	"time"
)

// parking is where writes wait for a primary, while there is none. They have no place and no connection meanwhile.
type parking struct {
	most    int64
	longest time.Duration

	now            atomic.Int64
	total, expired atomic.Uint64
	full           atomic.Uint64
}

// parked is a write's stay; the zero value has not begun.
type parked struct{ until time.Time }

// wait returns true when there may be a primary again, which changed tells, and false when it makes no sense to wait.
func (p *parking) wait(ctx context.Context, stay *parked, changed <-chan struct{}) bool {
	if stay.until.IsZero() {
		if p.now.Add(1) > p.most {
			p.now.Add(-1)
			p.full.Add(1)
			return false
		}
		p.total.Add(1)
		stay.until = time.Now().Add(p.longest)
	}
	left := time.Until(stay.until)
	if left <= 0 {
		p.expired.Add(1)
		return false
	}
	timer := time.NewTimer(min(left, retryPause)) // a primary that takes no connections is not told of
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-timer.C:
	}
	return true
}

func (p *parking) leave(stay *parked) {
	if !stay.until.IsZero() {
		p.now.Add(-1)
	}
}
