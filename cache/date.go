package cache

import (
	"sort"
	"time"
)

// date is a heartbeat that has come back, by which entries of others are dated: what has seen its transaction was read
// after it was sent.
type date struct {
	at   Horizon
	sent time.Duration
}

const (
	dateEvery = time.Second
	maxDates  = 1 << 12 // a little more than the hour that a Tier keeps an entry
	// longRest is after which time without heartbeats ids may have come around.
	longRest = time.Hour
)

// Committed tells the heartbeat's own transaction: its id, and where its commit ends. Call it before Returned. Without it
// nothing is taken over from other caches.
func (h *Heartbeat) Committed(at Horizon) {
	h.cache.control.Lock()
	defer h.cache.control.Unlock()
	h.at = at
}

// undate has nothing taken over that was filled before now. control is locked.
func (c *Cache) undate() {
	c.control.dates = nil
	c.control.undated = c.moment.Add(1)
}

func (c *Cache) undateNow() {
	c.control.Lock()
	defer c.control.Unlock()
	c.undate()
}

// rest begins anew after a long time without heartbeats. control is locked.
func (c *Cache) rest(now time.Duration) {
	if now-c.control.beaten > longRest {
		c.known.Store(0)
		c.undate()
	}
	c.control.beaten = now
}

// date remembers a heartbeat that has come back. control is locked.
//
// The changes that were applied before it was made have lower ids, and end before it, so that whoever has seen it has seen
// them. Those since have left traces, as its id and with it theirs were known: see table.leave.
func (c *Cache) date(h *Heartbeat) {
	if h.at == (Horizon{}) {
		return
	}
	raiseTo(&c.known, h.at.Xid)
	dates := c.control.dates
	if !h.dates || h.made <= c.control.undated {
		return
	}
	if n := len(dates); n > 0 {
		last := dates[n-1]
		if h.sent-last.sent < dateEvery || h.at.Xid <= last.at.Xid || h.at.LSN <= last.at.LSN {
			return
		}
	}
	if len(dates) == maxDates {
		dates = append(dates[:0:0], dates[maxDates/4:]...)
	}
	c.control.dates = append(dates, date{h.at, h.sent})
}

// dated returns a reading of the clock before which a state of h was not read, if that is after all that the traces cannot
// tell.
func (c *Cache) dated(h Horizon) (after time.Duration, ok bool) {
	c.control.Lock()
	defer c.control.Unlock()
	dates := c.control.dates
	n := sort.Search(len(dates), func(i int) bool { return !h.covers(dates[i].at) })
	if n == 0 {
		return 0, false
	}
	return dates[n-1].sent, true
}
