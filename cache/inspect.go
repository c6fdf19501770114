package cache

import (
	"slices"
	"time"
)

// Inspect returns what is kept under a key, or nil, and why it would not be served now; 0 if it would. Unlike Get it counts
// nothing, and does not make the entry one that is in use.
func (c *Cache) Inspect(k Key) (*Entry, Miss) {
	found, ok := c.entries.GetEntryQuietly(k)
	if !ok {
		return nil, MissAbsent
	}
	return found.Value, c.refuses(found.Value)
}

// Hits returns how often Get has returned the entry: exactly up to 64, and beyond that about.
func (e *Entry) Hits() uint64 { return uint64(e.hits.Load()) }

// Bytes returns what counts against Options.Budget.
func (e *Entry) Bytes() uint64 { return uint64(e.weight.Load()) }

// Remaining returns how long it takes until the entry expires; ok is false where it has no limit.
func (e *Entry) Remaining() (d time.Duration, ok bool) {
	return e.expires - e.cache.clock(), e.expires != 0
}

// Watches returns what the entry depends on. Terms are shared: they must not be changed.
func (e *Entry) Watches() []Watch {
	out := make([]Watch, 0, len(e.dependencies))
	for i := range e.dependencies {
		if e.dependencies[i].isTag() {
			continue
		}
		w := e.dependencies[i].watch
		w.Columns, w.Values, w.Terms = slices.Clone(w.Columns), slices.Clone(w.Values), slices.Clone(w.Terms)
		out = append(out, w)
	}
	return out
}
