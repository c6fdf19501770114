package cache

import (
	"sync"
	"sync/atomic"
	"time"
)

// Miss says why Get returned nothing.
type Miss uint8

// The reasons of a miss.
const (
	served      Miss = iota
	MissAbsent       // never stored, or gone
	MissExpired      // its limit has passed
	MissEarly        // its limit will soon pass: one caller in several fills anew
	MissLease        // no heartbeat came back in time
	MissFence        // our own write has not come back yet
	MissClosed       // the cache is not Open
	misses
)

func (m Miss) String() string {
	return [...]string{"", "absent", "expired", "early", "lease", "fence", "closed"}[m]
}

// Reject says why a fill was not stored.
type Reject uint8

// The reasons of a reject.
const (
	stored          Reject = iota
	RejectChanged          // a change that it may not have seen could make it wrong
	RejectOverflow         // too many changes of a table to tell
	RejectVoided           // a flush, a purge, or a newer fill came between; or it took too long
	RejectClosed           // the cache is not Open
	RejectTooLarge         // over Options.MaxEntry
	RejectUnbounded        // it depends on nothing and has no limit
	RejectAbandoned        // there was nothing to store
	rejects
)

func (r Reject) String() string {
	return [...]string{"", "changed", "overflow", "voided", "closed", "too-large", "unbounded", "abandoned"}[r]
}

// Stats are counts since the cache was made, and sizes now.
type Stats struct {
	Hits        uint64
	Misses      map[Miss]uint64
	Joined      uint64 // served by the fill of another caller
	Stored      uint64
	Rejected    map[Reject]uint64
	Invalidated uint64 // by changes
	Evicted     uint64 // to keep to the budget
	Entries     int
	Bytes       uint64 // what counts against Options.Budget
	Recent      int
	Lease       time.Duration // as in Status
	Adopted     uint64        // taken over from the Tier
	Refused     map[Refusal]uint64
}

// counters counts hits and misses in stripes, so that cores do not take turns; the rest is rare.
type counters struct {
	stripes     [countStripes]countStripe
	next        atomic.Uint32
	mine        sync.Pool // of *countStripe: what a core put back it gets again
	joined      atomic.Uint64
	stored      atomic.Uint64
	rejected    [rejects]atomic.Uint64
	refused     [refusals]atomic.Uint64 // by Refusal; taken are those taken over
	invalidated atomic.Uint64
	evicted     atomic.Uint64
}

const countStripes = 64

type countStripe struct {
	results [misses]atomic.Uint64 // by Miss; served are hits
	_       [128 - 8*misses]byte
}

func (c *counters) init() {
	c.mine.New = func() any { return &c.stripes[c.next.Add(1)%countStripes] }
}

func (c *counters) hit(e *Entry) {
	n := c.count(served)
	// An entry's own count would be written by all cores at once, if it is hit often: then one hit in many stands for as
	// many.
	const exact, sample = 64, 64
	switch {
	case e.hits.Load() < exact:
		e.hits.Add(1)
	case n%sample == 0:
		e.hits.Add(sample)
	}
}

func (c *counters) miss(m Miss) { c.count(m) }

// count returns how often the stripe has counted the same.
func (c *counters) count(m Miss) uint64 {
	s := c.mine.Get().(*countStripe)
	n := s.results[m].Add(1)
	c.mine.Put(s)
	return n
}

// Stats returns counts and sizes.
func (c *Cache) Stats() Stats {
	c.entries.CleanUp() // the store accounts for writes a little later
	status := c.Status()
	s := Stats{
		Misses: map[Miss]uint64{}, Rejected: map[Reject]uint64{}, Refused: map[Refusal]uint64{},
		Adopted: c.counts.refused[taken].Load(),
		Joined:  c.counts.joined.Load(), Stored: c.counts.stored.Load(),
		Invalidated: c.counts.invalidated.Load(), Evicted: c.counts.evicted.Load(),
		Entries: c.entries.EstimatedSize(), Bytes: c.entries.WeightedSize(),
		Recent: status.Recent, Lease: status.Lease,
	}
	for i := range c.counts.stripes {
		results := &c.counts.stripes[i].results
		s.Hits += results[served].Load()
		for m := MissAbsent; m < misses; m++ {
			s.Misses[m] += results[m].Load()
		}
	}
	for r := RejectChanged; r < rejects; r++ {
		s.Rejected[r] = c.counts.rejected[r].Load()
	}
	for r := RefuseAbsent; c.tier != nil && r < refusals; r++ {
		s.Refused[r] = c.counts.refused[r].Load()
	}
	return s
}
