package cache

import (
	"slices"
	"time"
)

// maxPending is how many heartbeats wait for older fills to end; of more, the oldest and the newest are kept.
const maxPending = 256

// Heartbeat is a message that its owner commits to the source, and that comes back in the order of the changes. It renews
// the lease, and lets go of changes that every fill under way has seen.
type Heartbeat struct {
	cache   *Cache
	sent    time.Duration
	made    uint64 // moment
	history uint64
	dates   bool // the id of an earlier one was known

	// Guarded by Cache.control.
	returned bool
	visible  Stamp
	known    uint64 // the moment at which visible was known
	at       Horizon
	replayed uint64
}

// Heartbeat notes the time. Send the message after this call.
func (c *Cache) Heartbeat() *Heartbeat {
	c.control.Lock()
	defer c.control.Unlock()
	now := c.clock()
	c.rest(now)
	return &Heartbeat{cache: c, sent: now, made: c.moment.Add(1), history: c.control.history, dates: c.known.Load() != 0}
}

// Visible tells what is visible to who reads the source now: a snapshot taken at any time before this call, such as that
// of the statement that sent the message. A heartbeat without it renews the lease only.
func (h *Heartbeat) Visible(snapshot Stamp) {
	if snapshot == nil {
		return
	}
	c := h.cache
	c.control.Lock()
	defer c.control.Unlock()
	h.visible, h.known, h.replayed = snapshot, c.moment.Add(1), c.control.replayed
	if h.returned {
		c.settle(h)
	}
}

// Returned says that the message has come back and that all that the source committed before it was given to Apply.
func (h *Heartbeat) Returned() {
	c := h.cache
	c.control.Lock()
	defer c.control.Unlock()
	if h.history != c.control.history || h.returned {
		return
	}
	h.returned = true
	c.returned.Store(max(c.returned.Load(), h.made))
	c.lease.Store(max(c.lease.Load(), int64(h.sent)))
	c.date(h)
	if h.visible != nil {
		c.settle(h)
	}
}

// Standbys tells the least position up to which every standby that entries may be filled from has replayed by now;
// math.MaxUint64, the default, if none may. Changes beyond it are remembered. Call it before the first fill from a standby,
// and keep calling. A standby should not fill when it lags: what it lacks is remembered, until tables overflow and store
// nothing. The package's documentation says which answers of a standby may be used, also when standbys come and go.
func (c *Cache) Standbys(replayed uint64) {
	c.control.Lock()
	defer c.control.Unlock()
	if replayed < c.control.replayed {
		c.control.pending = nil // what they have seen, the standby that is new may not have
		c.control.lowered = c.moment.Add(1)
	}
	c.control.replayed = replayed
}

// settle forgets what can be forgotten now that h has come back and what it saw is known. control is locked.
//
// A change may go when a heartbeat's snapshot has seen it and no fill under way began before that snapshot was known: all
// others read later than it, and so see the change too. Of the heartbeats that waited, the newest such one counts.
func (c *Cache) settle(h *Heartbeat) {
	if h.history != c.control.history || h.known < c.control.lowered {
		return
	}
	pending := append(c.control.pending, h)
	if c.recent.pressing() {
		c.flights.void(h.known)
	}
	oldest := c.flights.oldest()
	ready := -1
	for i, p := range pending {
		if p.known <= oldest && (ready < 0 || p.known > pending[ready].known) {
			ready = i
		}
	}
	if ready >= 0 {
		c.forget(pending[ready])
		known := pending[ready].known
		pending = slices.DeleteFunc(pending, func(p *Heartbeat) bool { return p.known <= known })
	}
	if len(pending) > maxPending {
		pending = slices.Delete(pending, 1, 2)
	}
	c.control.pending = pending
}

func (c *Cache) forget(h *Heartbeat) {
	old := func(m Mark) bool { return m.LSN <= h.replayed && h.visible.Saw(m) }
	for _, t := range c.allTables() {
		t.mu.Lock()
		t.recent.forget(&c.recent, old)
		t.mu.Unlock()
	}
}

// pressing says that so many changes are remembered that slow fills are better given up.
func (t *recentTotals) pressing() bool {
	return t.changes.Load() > t.most/2 || t.bytes.Load() > t.most*recentBytes/2 || t.marks.Load() > 0
}
