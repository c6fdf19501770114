package cache

import (
	"sync"
	"sync/atomic"
)

// fences hold back entries that depend on tables whose latest change by our own hand has not come back yet.
type fences struct {
	mu      sync.Mutex
	highest atomic.Uint64 // of the fences that stand; 0: none does
	all     atomic.Uint64 // holds back every entry
	applied atomic.Uint64
	waiting []waiting // for Await
}

// Fence has entries that depend on one of the tables, or on any if there are none, not be served until the source's changes
// up to a position were applied. Who writes calls it after COMMIT and before answering, with a position after the COMMIT:
// then whoever saw the answer does not see the row of before.
func (c *Cache) Fence(until uint64, tables ...Table) {
	f := &c.fences
	f.mu.Lock()
	defer f.mu.Unlock()
	if until <= f.applied.Load() {
		return
	}
	for _, id := range tables {
		raise(&c.table(id).fence, until)
	}
	if len(tables) == 0 {
		raise(&f.all, until)
	}
	raise(&f.highest, until)
}

// Applied says that all changes that the source committed before a position were given to Apply.
func (c *Cache) Applied(position uint64) {
	f := &c.fences
	f.mu.Lock()
	defer f.mu.Unlock()
	raise(&f.applied, position)
	f.release(false)
	if f.highest.Load() <= f.applied.Load() {
		f.highest.Store(0)
	}
}

// before reports whether a fence stands before the entry.
func (f *fences) before(e *Entry) bool {
	applied := f.applied.Load()
	if f.all.Load() > applied {
		return true
	}
	for i := range e.dependencies {
		if e.dependencies[i].table.fence.Load() > applied {
			return true
		}
	}
	return false
}

// liftFences ends all fences, as positions of another history may be lower. Nothing that was filled before is served any more.
func (c *Cache) liftFences() {
	f := &c.fences
	f.mu.Lock()
	defer f.mu.Unlock()
	f.highest.Store(0)
	f.all.Store(0)
	f.applied.Store(0)
	for _, t := range c.allTables() {
		t.fence.Store(0)
	}
	f.release(true)
}

// raise is for those who hold the lock.
func raise(to *atomic.Uint64, value uint64) { to.Store(max(to.Load(), value)) }
