package limit

import (
	"sync/atomic"
	"time"
)

const (
	// warmup is how many samples of a Baseline are averaged plainly.
	warmup = 32
	// rise is how much a Baseline may go up within risePeriod. A congestion that is taken for quiet for a while does not
	// spoil it, and a query that has become slower is known as such after minutes.
	rise       = 1.25
	risePeriod = 10 // seconds
)

// Baseline is how long one kind of work takes when nothing else is in its way, such as one statement, whatever its
// parameters. Latencies are compared with it, so that a mix of fast and slow work does not look like congestion. Its
// zero value knows nothing yet. It may be used by many at a time; when two samples come at once, one may be lost.
type Baseline struct {
	mean   atomic.Int64 // nanoseconds; 0: unknown
	count  atomic.Int32 // samples, up to warmup
	period atomic.Int64 // the current risePeriod
	least  atomic.Int64 // the mean at its beginning
}

// Mean returns what the work takes, or 0 while that is unknown.
func (b *Baseline) Mean() time.Duration { return time.Duration(b.mean.Load()) }

// learn takes a sample without congestion. It follows faster work at once and slower work slowly; anew tells that slower
// work is known to be no congestion.
func (b *Baseline) learn(took time.Duration, at time.Time, anew bool) {
	x, mean := int64(max(took, 1)), b.mean.Load()
	n := b.count.Load()
	switch {
	case n < warmup:
		b.count.Store(n + 1)
		mean += (x - mean) / int64(n+1)
	case x < mean || anew:
		mean += (x - mean) / 8
	default:
		mean = min(mean+(x-mean)/32, b.ceiling(mean, at))
	}
	b.mean.Store(max(mean, 1))
}

// ceiling is how high the mean may go in this period.
func (b *Baseline) ceiling(mean int64, at time.Time) int64 {
	if period := at.Unix() / risePeriod; b.period.Load() != period {
		b.period.Store(period)
		b.least.Store(mean)
	}
	return max(mean, int64(rise*float64(b.least.Load())))
}
