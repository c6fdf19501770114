package replicas

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// ErrFull is returned for a read that no replica can answer while as many of them as may be are under way on the primary.
var ErrFull = errors.New("no replica can be read from, and the primary has enough to do")

// fallbacks bounds the reads that no replica can answer: the primary must not fall over when the replicas are gone.
type fallbacks struct {
	limiter *limit.Limiter
	counts  [len(reasons)]atomic.Uint64
	full    atomic.Uint64
}

// The reasons why a read goes to the primary.
const (
	noneReadable = iota // no replica is readable
	noneCaughtUp        // none has replayed what the reader must see
	allFailed           // those that were tried have failed
	doubted             // the primary may not give the error that a replica gave
)

var reasons = [...]string{noneReadable: "unreadable", noneCaughtUp: "behind", allFailed: "failed", doubted: "doubted"}

const (
	// fallbackShare is the part of the primary's connections that these reads may take.
	fallbackShare = 0.3
	// fallbackWait is how long one waits for others to end: a burst is no reason to refuse any.
	fallbackWait = time.Second
)

func (f *fallbacks) init(connections int, protected bool) {
	f.limiter = limit.New(limit.Options{Max: max(1, int(fallbackShare*float64(connections))), Fixed: !protected})
}

// enter waits for a permit; who matters less than others is refused first, and who is critical waits for as long as his context
// lasts. Errors are ErrFull or ctx's.
func (f *fallbacks) enter(ctx context.Context, reason int, ask limit.Ask) (limit.Permit, error) {
	f.counts[reason].Add(1)
	ask = limit.Ask{Priority: ask.Priority, Tenant: ask.Tenant}
	if ask.Priority.Tier != limit.Critical {
		ask.Wait = fallbackWait
	}
	permit, _, err := f.limiter.Acquire(ctx, ask)
	if err != nil && ctx.Err() == nil {
		f.full.Add(1)
		err = ErrFull
	}
	return permit, err
}

// do reads with a permit, which is given back even where the reader panics: the server goes on, and there are few of them.
func (f *fallbacks) do(ctx context.Context, reason int, ask limit.Ask, clock func() time.Duration, read func() error) error {
	permit, err := f.enter(ctx, reason, ask)
	if err != nil {
		return err
	}
	began, failed := clock(), limit.Ignore
	defer func() { permit.Release(limit.Outcome{Took: clock() - began, Failed: failed}) }()
	err = read()
	failed = outcome(err)
	return err
}
