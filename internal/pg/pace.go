package pg

import (
	"sync/atomic"
	"time"
)

// Pace is how fast a statement has been lately: the moving average of the time that it took, the last time counting an
// eighth. The zero value knows nothing yet. It may be used by many at a time.
type Pace struct{ mean atomic.Int64 }

// below reports whether the statement is known to take less time than d.
func (p *Pace) below(d time.Duration) bool {
	mean := p.mean.Load()
	return mean > 0 && mean < int64(d)
}

// note counts one execution. When two come at once, one of them may be lost.
func (p *Pace) note(took time.Duration) {
	mean := p.mean.Load()
	if mean == 0 {
		mean = int64(took)
	}
	p.mean.Store(max(1, mean+(int64(took)-mean)/8))
}
