package replicas

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrFull is returned for a read that no replica can answer while as many of them as may be are under way on the primary.
var ErrFull = errors.New("no replica can be read from, and the primary has enough to do")

// fallbacks bounds the reads that no replica can answer: the primary must not fall over when the replicas are gone.
type fallbacks struct {
	places chan struct{}
	counts [len(reasons)]atomic.Uint64
	full   atomic.Uint64
}

// The reasons why a read goes to the primary.
const (
	noneReadable = iota // no replica is readable
	noneCaughtUp        // none has replayed what the reader must see
	allFailed           // those that were tried have failed
)

var reasons = [...]string{noneReadable: "unreadable", noneCaughtUp: "behind", allFailed: "failed"}

const (
	// fallbackShare is the part of the primary's connections that these reads may take.
	fallbackShare = 0.3
	// fallbackWait is how long one waits for others to end: a burst is no reason to refuse any.
	fallbackWait = time.Second
)

func (f *fallbacks) init(connections int) {
	f.places = make(chan struct{}, max(1, int(fallbackShare*float64(connections))))
}

// enter waits for a place, which leave gives back. Errors are ErrFull or ctx's.
func (f *fallbacks) enter(ctx context.Context, reason int) error {
	f.counts[reason].Add(1)
	select {
	case f.places <- struct{}{}:
		return nil
	default:
	}
	limit := time.NewTimer(fallbackWait)
	defer limit.Stop()
	select {
	case f.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		f.full.Add(1)
		return ErrFull
	}
}

func (f *fallbacks) leave() { <-f.places }
