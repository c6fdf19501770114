package cache

import "time"

// Mode says what a cache does with entries that depend on tables. Those with nothing but a limit do not care, with or without
// tags.
type Mode uint8

// The modes of a cache.
const (
	Starting  Mode = iota // nothing is served or stored: New, Reset
	Open                  // entries are stored, and served while the lease lasts
	Suspended             // nothing is served or stored, but entries are kept: Suspend
	Closed                // there is nothing to serve, and nothing is stored: CloseStoring
)

func (m Mode) String() string {
	return [...]string{"starting", "open", "suspended", "closed"}[m]
}

// IsOpen reports whether the cache is Open. It costs next to nothing.
func (c *Cache) IsOpen() bool { return c.open.Load() }

// Open lets entries be stored and served. Unless the cache was suspended, fills that began before are not stored.
func (c *Cache) Open() {
	c.control.Lock()
	defer c.control.Unlock()
	if m := c.control.mode; m == Starting || m == Closed {
		c.flush()
	}
	c.control.mode, c.control.reason = Open, ""
	c.open.Store(true)
}

// Suspend has nothing served or stored until Open, and keeps the entries: changes must still be applied.
func (c *Cache) Suspend(reason string) {
	c.control.Lock()
	defer c.control.Unlock()
	c.open.Store(false)
	c.control.reason = reason
	if c.control.mode == Open {
		c.control.mode = Suspended
	}
}

// CloseStoring drops all entries, and has none stored until Open: something changed that the changes do not tell, such as the
// schema, and until it is visible to all there may be answers of before.
func (c *Cache) CloseStoring(reason string) {
	c.control.Lock()
	defer c.control.Unlock()
	c.open.Store(false)
	c.control.reason = reason
	if c.control.mode != Starting {
		c.control.mode = Closed
	}
	c.flush()
}

// Flush drops all entries. Fills that began before are not stored. Fences stand.
func (c *Cache) Flush() {
	c.control.Lock()
	defer c.control.Unlock()
	c.flush()
}

// Reset drops all entries that depend on changes being told, and forgets what is known of the source: its changes were lost,
// or it has another history now. Entries with tags stay until their limits, or Open. Open it when a new stream of changes
// has begun; heartbeats made before do not count any more.
func (c *Cache) Reset(reason string) {
	c.control.Lock()
	defer c.control.Unlock()
	c.open.Store(false)
	c.control.mode, c.control.reason = Starting, reason
	c.control.history++
	c.control.pending = nil
	c.lease.Store(never)
	c.known.Store(0)
	c.undate()
	c.unfollow()
	c.liftFences()
	if c.tier != nil {
		c.traces.Store(new(traces))
	}
	for _, t := range c.allTables() {
		t.mu.Lock()
		t.recent.forget(&c.recent, func(Mark) bool { return true })
		t.latest, t.traced = Horizon{}, nil
		t.mu.Unlock()
	}
}

// flush needs control. The new epoch is what makes it safe; that the entries go is for the memory.
func (c *Cache) flush() {
	c.undate()
	c.epoch.Add(1)
	c.entries.InvalidateAll()
}

// Status is what a cache does now, and why.
type Status struct {
	Mode   Mode
	Reason string        // why it is not Open
	Lease  time.Duration // since the last heartbeat that came back was sent; -1: none has
	Recent int           // changes that are remembered for the fills under way
}

// Status returns what the cache does now.
func (c *Cache) Status() Status {
	c.control.Lock()
	defer c.control.Unlock()
	s := Status{Mode: c.control.mode, Reason: c.control.reason, Lease: -1}
	if sent := c.lease.Load(); sent != never {
		s.Lease = c.clock() - time.Duration(sent)
	}
	s.Recent = int(c.recent.changes.Load() + c.recent.marks.Load())
	return s
}
