package cache

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Fill is the making of an entry. Whoever was first at Cache.Fill fills: Depend, then End or Abandon. The others Wait.
type Fill struct {
	cache   *Cache
	key     Key
	epoch   uint64
	stream  uint64
	began   uint64        // moment
	started time.Duration // the clock's reading
	voided  atomic.Bool   // what comes of it is not stored

	mu           sync.Mutex
	dependencies []dependency
	ttl          time.Duration
	staleness    time.Duration
	revalidate   time.Duration
	ifError      time.Duration
	ended        bool

	done   chan struct{}
	result *Entry // the entry that was stored, or nil; written before done is closed
}

// Depend says what the answer depends on, and what the state that it is computed from has seen. The filler calls it as
// soon as it knows, as often as it needs; each watch goes with the stamp of its own call. Terms must not change afterwards.
func (f *Fill) Depend(stamp Stamp, watches ...Watch) {
	given := f.cache.moment.Load()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dependencies = slices.Grow(f.dependencies, len(watches))
	for i, w := range watches {
		f.dependencies = append(f.dependencies, dependency{
			table: f.cache.table(w.Table), watch: w.own(), stamp: stamp, given: given, carries: i == 0,
		})
	}
}

// Limit has the entry expire so long after End; the least of several calls counts. Some hits shortly before are turned into
// misses, so that one caller fills anew while the others still hit. A fill needs a limit or something it depends on, else
// its entry would stay for ever and is not stored.
func (f *Fill) Limit(ttl time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ttl == 0 || ttl < f.ttl {
		f.ttl = max(ttl, 1)
	}
}

// Staleness replaces Options.Staleness for this entry.
func (f *Fill) Staleness(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.staleness = d
}

// End makes an entry of v and stores it, unless a change that v may not have seen could make it wrong. The filler can use
// the entry in any case; Entry.Stored tells.
func (f *Fill) End(v Value) *Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return &Entry{cache: f.cache, key: f.key, value: v, filled: f.started}
	}
	e := f.entry(v)
	if r := f.store(e); r != stored {
		f.cache.counts.rejected[r].Add(1)
		e.dead.Store(true)
		f.finish(nil)
		return e
	}
	f.cache.counts.stored.Add(1)
	f.finish(e)
	return e
}

// Abandon ends a fill of which nothing is stored. After End it does nothing: defer it.
func (f *Fill) Abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.cache.counts.rejected[RejectAbandoned].Add(1)
		f.finish(nil)
	}
}

func (f *Fill) finish(e *Entry) {
	f.ended, f.result = true, e
	f.cache.flights.remove(f)
	close(f.done)
}

func (f *Fill) entry(v Value) *Entry {
	c := f.cache
	e := &Entry{
		cache: c, key: f.key, value: v, epoch: f.epoch, filled: f.started, cost: c.clock() - f.started,
		staleness: c.staleness, dependencies: slices.Clip(f.dependencies), stream: f.stream,
		revalidate: f.revalidate, ifError: f.ifError,
	}
	if f.staleness > 0 {
		e.staleness = f.staleness
	}
	if f.ttl > 0 {
		e.expires = c.clock() + f.ttl
	}
	for i := range e.dependencies {
		d := &e.dependencies[i]
		d.entry = e
		e.tagged = e.tagged || d.isTag()
		e.watched = e.watched || !d.isTag()
	}
	return e
}

// store puts the entry where Get finds it, or says why not. Under the locks of all of its tables it looks for changes that
// the entry has not seen and enters it into the indexes, so that either it sees a change, or Apply sees the entry.
func (f *Fill) store(e *Entry) Reject {
	c := f.cache
	switch {
	case !e.watched && e.expires == 0, e.tagged && e.expires == 0:
		return RejectUnbounded
	case e.weigh(e.value.Size()) > c.maxEntry:
		return RejectTooLarge
	}
	var r Reject
	e.locked(func() {
		if r = f.unfit(e); r != stored {
			return
		}
		e.stored = true
		e.linked.Store(true)
		for i := range e.dependencies {
			d := &e.dependencies[i]
			d.table.link(d)
			if c.tier != nil {
				d.table.expect(&d.watch)
			}
		}
	})
	if r != stored {
		return r
	}
	c.entries.Set(e.key, e)
	// Whoever made it wrong meanwhile may have looked for it before it was there.
	if e.dead.Load() || f.voided.Load() || e.epoch != c.epoch.Load() || e.watched && !e.followed() {
		c.drop(e)
	}
	return stored
}

// unfit is called with the locks of all tables of the entry.
func (f *Fill) unfit(e *Entry) Reject {
	switch {
	case f.voided.Load() || f.epoch != f.cache.epoch.Load():
		return RejectVoided
	case e.watched && (!f.cache.open.Load() || !e.followed()):
		return RejectClosed
	case e.shared && !e.spared():
		return RejectChanged
	}
	for i := range e.dependencies {
		d := &e.dependencies[i]
		if d.isTag() {
			if !e.watched && max(d.table.written, f.cache.written.Load()) > f.began {
				return RejectChanged
			}
		} else if r := d.table.recent.rejects(d); r != stored {
			return r
		}
	}
	return stored
}

// locked calls do with the locks of all tables that the entry depends on.
func (e *Entry) locked(do func()) {
	tables := e.tables()
	for _, t := range tables {
		t.mu.Lock()
	}
	do()
	for _, t := range tables {
		t.mu.Unlock()
	}
}

// tables returns the tables that the entry depends on, each once, in the order in which they are locked.
func (e *Entry) tables() []*table {
	tables := make([]*table, len(e.dependencies))
	for i := range e.dependencies {
		tables[i] = e.dependencies[i].table
	}
	slices.SortFunc(tables, func(a, b *table) int { return cmp.Compare(a.id, b.id) })
	return slices.Compact(tables)
}

type fillKey struct{}

// WithFill returns a context that carries a fill to where the answer is made.
func WithFill(ctx context.Context, f *Fill) context.Context {
	return context.WithValue(ctx, fillKey{}, f)
}

// FillFrom returns the fill that a context carries, or nil.
func FillFrom(ctx context.Context) *Fill {
	f, _ := ctx.Value(fillKey{}).(*Fill)
	return f
}
