package cache

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// The defaults of Options.
const (
	DefaultBudget    = 64 << 20
	DefaultStaleness = time.Second
	DefaultRecent    = 1 << 16
)

// Options of a cache. The zero value has the defaults.
type Options struct {
	// Budget is the most that all entries may take, in bytes: values, keys, dependencies and bookkeeping. 64 MiB.
	Budget uint64
	// MaxEntry is the most that one entry may take, in bytes. An eighth of Budget, and at most 4 GiB - 1.
	MaxEntry uint64
	// Staleness is how long before now the last heartbeat that came back may have been sent for hits to be served. 1 s.
	Staleness time.Duration
	// Recent is the most changes that are remembered for the fills under way, at 1 KiB each on average. 65,536.
	Recent int
	// Clock reads a clock that never stops nor jumps. CLOCK_BOOTTIME on Linux; elsewhere Go's monotonic clock, which may
	// stand still while the machine sleeps.
	Clock func() time.Duration
	// Tier is shared with other caches; none by default. With one, 16 MiB besides Budget tell what has changed.
	Tier Tier
	// Follows reports whether the changes of a table come to this cache; nil if those of all do. Only what depends on such
	// tables is taken over from Tier.
	Follows func(Table) bool
}

// never is a clock reading before all others.
const never = math.MinInt64

// Cache is safe for concurrent use. There is nothing to close: it has no goroutine that stays.
type Cache struct {
	clock     func() time.Duration
	staleness time.Duration
	maxEntry  uint64
	tier      Tier
	follows   func(Table) bool
	entries   *otter.Cache[Key, *Entry]
	flights   flights
	fences    fences
	counts    counters

	// moment counts the points in time that the order of fills and heartbeats is told by.
	moment   atomic.Uint64
	returned atomic.Uint64 // the moment at which the last heartbeat that came back was made
	lease    atomic.Int64  // the clock's reading then, or never
	epoch    atomic.Uint64 // entries of earlier ones are not served
	stream   atomic.Uint64 // counts Resets: watches of earlier ones are not followed
	written  atomic.Uint64 // the moment of the last Wrote of any table
	open     atomic.Bool   // control.mode is Open

	traces atomic.Pointer[traces] // nil without a tier
	known  atomic.Uint64          // the id of a transaction not long ago; 0: none is

	control struct { // what the owner of the source does
		sync.Mutex
		mode     Mode
		reason   string
		history  uint64       // counts Resets
		pending  []*Heartbeat // came back, but older fills are under way
		replayed uint64       // by the standby that lags most
		lowered  uint64       // the moment at which replayed went down
		dates    []date       // ascending
		undated  uint64       // the moment from which on heartbeats are dates
		beaten   time.Duration
	}
	recent   recentTotals
	tablesMu sync.RWMutex
	tables   map[Table]*table
}

// New makes a cache that is Starting: it serves and stores nothing that depends on tables before Open and a heartbeat.
func New(o Options) *Cache {
	if o.Budget == 0 {
		o.Budget = DefaultBudget
	}
	if o.MaxEntry == 0 {
		o.MaxEntry = o.Budget / 8
	}
	if o.Staleness == 0 {
		o.Staleness = DefaultStaleness
	}
	if o.Recent == 0 {
		o.Recent = DefaultRecent
	}
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	c := &Cache{
		clock:     o.Clock,
		staleness: o.Staleness,
		maxEntry:  min(o.MaxEntry, math.MaxUint32),
		tier:      o.Tier,
		follows:   o.Follows,
		tables:    map[Table]*table{},
	}
	c.entries = otter.Must(&otter.Options[Key, *Entry]{
		MaximumWeight:    o.Budget,
		Weigher:          func(_ Key, e *Entry) uint32 { return e.weight.Load() },
		OnAtomicDeletion: c.left,
	})
	if c.tier != nil {
		c.traces.Store(new(traces))
	}
	c.flights.init()
	c.counts.init()
	c.recent.most = int64(o.Recent)
	c.control.replayed = math.MaxUint64
	c.lease.Store(never)
	c.control.reason = "no source yet"
	return c
}

// Get returns the entry of a key if it may be served now, else nil. It allocates nothing and takes no lock.
func (c *Cache) Get(k Key) *Entry {
	e, _ := c.get(k)
	return e
}

// GetConfirmed is Get and Entry.Confirmed by one reading of the clock, which is what a Get costs most.
func (c *Cache) GetConfirmed(k Key) (*Entry, time.Duration) {
	e, now := c.get(k)
	if e == nil {
		return nil, 0
	}
	return e, e.confirmed(now)
}

func (c *Cache) get(k Key) (e *Entry, now time.Duration) {
	e, found := c.entries.GetIfPresent(k)
	if !found {
		c.counts.miss(MissAbsent)
		return nil, 0
	}
	m, now := c.judge(e)
	if m != served {
		c.counts.miss(m)
		return nil, now
	}
	c.counts.hit(e)
	return e, now
}

// refuses says why an entry may not be served now, or served.
func (c *Cache) refuses(e *Entry) Miss {
	m, _ := c.judge(e)
	return m
}

// judge is refuses, and when that was by the clock.
func (c *Cache) judge(e *Entry) (m Miss, now time.Duration) {
	m, now = c.standing(e)
	if m == served && e.expires != 0 {
		m = e.expired(now)
	}
	return m, now
}

// standing is judge but for the limit.
//
// The order matters. The clock is read after the lease. Whether the entry is dead comes last: what the lease and the fences
// promise to have been applied has left its trace by then.
func (c *Cache) standing(e *Entry) (m Miss, now time.Duration) {
	sent := c.lease.Load()
	now = c.clock()
	if e.followed() {
		switch {
		case e.tagged: // without certainty, its limit decides
		case !c.open.Load():
			m = MissClosed
		case sent == never || now-time.Duration(sent) > e.staleness:
			m = MissLease
		}
		if m == served && c.fences.highest.Load() != 0 && c.fences.before(e) {
			m = MissFence
		}
	} else if e.watched && !e.tagged {
		m = MissAbsent
	}
	if e.dead.Load() || e.epoch != c.epoch.Load() {
		m = MissAbsent
	}
	return m, now
}

func (c *Cache) table(id Table) *table {
	c.tablesMu.RLock()
	t := c.tables[id]
	c.tablesMu.RUnlock()
	if t != nil {
		return t
	}
	c.tablesMu.Lock()
	defer c.tablesMu.Unlock()
	if t = c.tables[id]; t == nil {
		t = &table{id: id}
		c.tables[id] = t
	}
	return t
}

func (c *Cache) allTables() []*table {
	c.tablesMu.RLock()
	defer c.tablesMu.RUnlock()
	all := make([]*table, 0, len(c.tables))
	for _, t := range c.tables {
		all = append(all, t)
	}
	return all
}

// drop makes sure that an entry is never served again and that it leaves the store and the indexes.
func (c *Cache) drop(e *Entry) {
	e.dead.Store(true)
	c.remove(e)
}

// remove takes a dead entry out. No table's lock may be held: the store calls left under a lock of its own.
func (c *Cache) remove(e *Entry) {
	c.entries.ComputeIfPresent(e.key, func(current *Entry) (*Entry, otter.ComputeOp) {
		if current != e {
			return nil, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
	e.unlink()
}

// bury removes entries that a change has killed. When they are many, whoever applies the changes need not wait for it, and
// let the lease run out: dead they are already.
func (c *Cache) bury(killed []*Entry) {
	const most = 1024
	all := func() {
		for _, e := range killed {
			c.remove(e)
		}
	}
	if len(killed) > most {
		go all()
	} else {
		all()
	}
}

// left is called by the store when it has let go of an entry, for whatever reason. It must not call the store.
func (c *Cache) left(event otter.DeletionEvent[Key, *Entry]) {
	e := event.Value
	if e.resizing && event.Cause == otter.CauseReplacement {
		e.resizing = false
		return
	}
	if event.WasEvicted() {
		c.counts.evicted.Add(1)
	}
	e.dead.Store(true)
	e.unlink()
}
