package redis

import (
	"sync"
	"sync/atomic"
	"time"
)

// breaker keeps calls from a server that does not answer: after a failure none for a pause, and then one at a time until
// one of them works. The pauses double.
type breaker struct {
	broken atomic.Bool // what follows matters

	mu    sync.Mutex
	pause time.Duration
	until time.Time
	tries bool // one is under way
}

func (b *breaker) open() bool { return b.broken.Load() }

// allows reports whether a call may be made; who makes it tells how it ends, by one of the methods below.
func (b *breaker) allows(now time.Time) bool {
	if !b.broken.Load() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tries || now.Before(b.until) {
		return false
	}
	b.tries = true
	return true
}

// worked reports whether the server was away before.
func (b *breaker) worked() (back bool) {
	if !b.broken.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	// Of calls that began before it failed, one that works late says nothing of now.
	if !b.tries {
		return false
	}
	b.tries, b.pause = false, 0
	b.broken.Store(false)
	return true
}

// failed reports whether the server was there before.
func (b *breaker) failed(now time.Time) (gone bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	gone = !b.broken.Load()
	if !gone && !b.tries {
		return false // one of several that were under way
	}
	b.tries = false
	b.pause = min(max(2*b.pause, firstPause), longestPause)
	b.until = now.Add(b.pause)
	b.broken.Store(true)
	return gone
}

// released ends a call of which nothing was learnt.
func (b *breaker) released() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries = false
}
