package limit

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// RetryOptions configure a RetryBudget; a zero field takes its default.
type RetryOptions struct {
	// Ratio is how many retries each request pays for, default 0.1: then retries add a tenth to the load at most.
	Ratio float64
	// Min is how many retries a Window may have besides, so that who has few requests can retry at all; default 3.
	Min int
	// Window is what Min is counted in, default 10 s.
	Window time.Duration
	// Burst is how many retries can be saved up, default 100. A new budget has them all.
	Burst int
	// Tries is how often one request is tried in all, default 3.
	Tries int
	// Pause and Longest bound the pause before a retry, default 5 ms and 100 ms.
	Pause, Longest time.Duration
}

func (o *RetryOptions) defaults() {
	if o.Ratio <= 0 {
		o.Ratio = 0.1
	}
	if o.Min <= 0 {
		o.Min = 3
	}
	if o.Window <= 0 {
		o.Window = 10 * time.Second
	}
	if o.Burst <= 0 {
		o.Burst = 100
	}
	if o.Tries <= 0 {
		o.Tries = 3
	}
	if o.Pause <= 0 {
		o.Pause = 5 * time.Millisecond
	}
	if o.Longest <= 0 {
		o.Longest = 100 * time.Millisecond
	}
	o.Longest = max(o.Longest, o.Pause)
}

// RetryBudget bounds the retries of all requests to one upstream by a share of these requests: while everything fails,
// retries must not multiply the load. It is a token bucket into which each request pays and from which each retry takes
// a token (https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs),
// with a trickle beside it for who has hardly any requests. Use one budget in one layer only: retries of retries multiply.
//
// It may be used by many goroutines at a time, and allocates nothing.
type RetryBudget struct {
	options RetryOptions
	price   int64         // of a retry, in what a request pays
	begun   time.Time     // of the clock
	saved   atomic.Int64  // tokens, of which a retry costs price
	trickle atomic.Int64  // when the trickle is full again, by the clock
	spent   atomic.Uint64 // retries
	denied  atomic.Uint64
}

// paid is what a request pays.
const paid = 1000

// NewRetryBudget makes a budget that has its Burst saved up.
func NewRetryBudget(o RetryOptions) *RetryBudget {
	o.defaults()
	b := &RetryBudget{options: o, price: int64(paid / o.Ratio), begun: time.Now()}
	b.saved.Store(b.most())
	return b
}

func (b *RetryBudget) most() int64 { return int64(b.options.Burst) * b.price }

// Request counts a request, not a retry of one. It is a load of a word where enough is saved up, which is usual.
func (b *RetryBudget) Request() {
	if b.saved.Load() < b.most() {
		b.saved.Add(paid) // it may get over most by as many as do this at a time
	}
}

// Retry reports whether a request that was tried so many times may be tried again, and takes that out of the budget.
func (b *RetryBudget) Retry(tries int) bool {
	if tries < b.options.Tries && (b.take(0) || b.drip()) {
		b.spent.Add(1)
		return true
	}
	b.denied.Add(1)
	return false
}

// Sent counts requests that are, as their client says, retries of its own, such as those of supabase-js with X-Retry-Count. They
// have come already, so nothing is refused; there is less left for others. Half of Burst stays: nobody can take from others all
// their retries by what he says.
func (b *RetryBudget) Sent(retries int) {
	for range min(retries, b.options.Tries) {
		b.take(b.most() / 2)
	}
}

// take leaves at least so much.
func (b *RetryBudget) take(least int64) bool {
	for {
		saved := b.saved.Load()
		if saved-b.price < least {
			return false
		}
		if b.saved.CompareAndSwap(saved, saved-b.price) {
			return true
		}
	}
}

// drip is the generic cell rate algorithm with Min retries a Window.
func (b *RetryBudget) drip() bool {
	each := int64(b.options.Window) / int64(b.options.Min)
	for {
		now, full := int64(time.Since(b.begun)), b.trickle.Load()
		next := max(now, full) + each
		if next-now > int64(b.options.Window) {
			return false
		}
		if b.trickle.CompareAndSwap(full, next) {
			return true
		}
	}
}

// Pause is how long to wait before the retry of a request that was tried so many times: full jitter
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), within Pause and Longest.
func (b *RetryBudget) Pause(tries int) time.Duration {
	const steepest = 16
	bound := min(b.options.Longest, b.options.Pause<<min(max(tries, 1), steepest))
	return b.options.Pause + rand.N(bound-b.options.Pause+1)
}

// RetryStats are counted since the start.
type RetryStats struct {
	// Spent retries were made, Denied ones were not, as the request had its tries or the budget was empty.
	Spent, Denied uint64
	// Left is how many retries are saved up now, without the trickle.
	Left float64
}

// Stats of the budget now.
func (b *RetryBudget) Stats() RetryStats {
	return RetryStats{Spent: b.spent.Load(), Denied: b.denied.Load(), Left: float64(b.saved.Load()) / float64(b.price)}
}
