package cache

import (
	"context"
	"slices"
)

// waiting is who waits for changes to be applied up to a position.
type waiting struct {
	until uint64
	over  chan struct{}
}

// Await waits until the source's changes up to a position were applied, or ctx ends, and reports whether they were. Who
// writes and can wait for a moment need not Fence: then nothing is held back. It returns false at once while nothing is
// served anyway.
func (c *Cache) Await(ctx context.Context, until uint64) bool {
	f := &c.fences
	f.mu.Lock()
	if f.applied.Load() >= until {
		f.mu.Unlock()
		return true
	}
	if !c.open.Load() {
		f.mu.Unlock()
		return false
	}
	w := waiting{until, make(chan struct{})}
	f.waiting = append(f.waiting, w)
	f.mu.Unlock()
	select {
	case <-w.over:
		return f.applied.Load() >= until
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = slices.DeleteFunc(f.waiting, func(o waiting) bool { return o.over == w.over })
	return f.applied.Load() >= until
}

// release is for those who hold the lock.
func (f *fences) release(all bool) {
	applied := f.applied.Load()
	f.waiting = slices.DeleteFunc(f.waiting, func(w waiting) bool {
		if !all && w.until > applied {
			return false
		}
		close(w.over)
		return true
	})
}
