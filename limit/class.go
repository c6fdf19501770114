package limit

import "time"

// class is a bulkhead: a share of the permits with a queue, a limit and an admission of its own.
type class struct {
	share     int // of the permits
	room      int // most waiters
	inFlight  int
	tenants   map[uint64]int // permits of each that has any
	queue     queue
	vegas     vegas
	admission admission
	errors    *shedErrors
}

func (c *class) overloaded(now time.Duration) bool { return c.admission.overloaded(now) }

func (c *class) tick(now time.Duration) {
	c.admission.tick(now, c.vegas.work, c.queue.length, c.queue.age(now))
}

// refuses counts an arrival, and tells whether it is not admitted: because of its priority, or because it would be dropped
// from the queue later on. Critical ones wait, so they are refused only where both is so: who comes back at once makes the share
// of arrivals that can be served as small as can be, and those before him may be few.
func (c *class) refuses(p Priority, now time.Duration) bool {
	c.tick(now)
	refused := c.admission.arrive(p)
	if p.Tier == Critical {
		return refused && c.waitOf(p.Tier) > c.patience()
	}
	return refused || c.overloaded(now) && c.waitOf(p.Tier) > c.patience()
}

// patience is what those who wait are expected to bear; twice as much is too long.
func (c *class) patience() time.Duration { return c.admission.patience(c.vegas.work) }

// waitOf is how long a newcomer of a tier waits: those before it have to be served, by what those of better tiers who come
// meanwhile leave over (Cobham, Priority Assignment in Waiting Line Problems, 1954).
func (c *class) waitOf(t Tier) time.Duration {
	t = min(t, Background)
	left := max(c.admission.capacity-c.admission.better[t], 1)
	return time.Duration(float64(c.queue.ahead(t)) / left * float64(time.Second))
}

// wait is how long it takes to serve n.
func (c *class) wait(n int) time.Duration {
	return time.Duration(float64(n) / max(c.admission.capacity, 1) * float64(time.Second))
}

// lifo tells whether the newest is served first: in so long a queue the oldest is late already, and to go by age would make
// all of them late.
func (c *class) lifo(now time.Duration) bool {
	return c.overloaded(now) && c.wait(c.queue.length) > 2*c.patience()
}

// before tells whether a waiter of c is given a permit before one of d: who has less than its share goes before who
// borrows, then the better tier, then who uses less of its share.
func (c *class) before(d *class) bool {
	if own, other := c.inFlight < c.share, d.inFlight < d.share; own != other {
		return own
	}
	if own, other := c.queue.best(), d.queue.best(); own != other {
		return own < other
	}
	return c.inFlight*d.share < d.inFlight*c.share
}

// mostOfTenant is how many permits one tenant may have while others wait.
func (c *class) mostOfTenant(share float64) int {
	return max(1, int(share*float64(c.vegas.most())))
}

func (c *class) took(tenant uint64) {
	c.inFlight++
	c.vegas.peak = max(c.vegas.peak, c.inFlight)
	c.admission.served++
	if tenant != 0 {
		c.tenants[tenant]++
	}
}

func (c *class) gave(tenant uint64) {
	c.inFlight--
	if tenant == 0 {
		return
	}
	if n := c.tenants[tenant]; n > 1 {
		c.tenants[tenant] = n - 1
	} else {
		delete(c.tenants, tenant)
	}
}
