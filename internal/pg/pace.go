package pg

import (
	"sync/atomic"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// Pace is how fast a statement has been lately, from when it was sent, or the answer before it had come, to the end of
// its own answer. The zero value knows nothing yet. It may be used by many at a time.
type Pace struct {
	mean  atomic.Int64 // moving average, the last time counting an eighth
	least least        // of those that shared their connection with nobody
	usual limit.Baseline
}

// least is about the least of the last hundred times, in nanoseconds; 0 while there is none. That is the time without
// what the machine did besides.
type least struct{ atomic.Int64 }

func (l *least) note(took time.Duration) {
	now := l.Load()
	if now == 0 || int64(took) < now {
		l.Store(max(1, int64(took)))
		return
	}
	l.Store(now + now/64 + 1)
}

// below reports whether the statement is known to take less time than mean, on average, and at least less than least.
func (p *Pace) below(mean, least time.Duration) bool {
	m, l := p.mean.Load(), p.least.Load()
	return m > 0 && l > 0 && m < int64(mean) && l < int64(least)
}

// Usual is how long the statement has been taking on average, or 0 while that is not known.
func (p *Pace) Usual() time.Duration { return time.Duration(p.mean.Load()) }

// note counts one execution, alone on its connection or not. When two come at once, one of them may be lost.
func (p *Pace) note(took time.Duration, alone bool) {
	mean := p.mean.Load()
	if mean == 0 {
		mean = int64(took)
	}
	p.mean.Store(max(1, mean+(int64(took)-mean)/8))
	if alone {
		p.least.note(took)
	}
}
