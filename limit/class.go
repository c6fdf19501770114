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
	c.admission.tick(now, c.vegas.mean, c.queue.length, c.queue.age(now))
}

// refuses counts an arrival, and tells whether it is not admitted.
func (c *class) refuses(p Priority, now time.Duration) bool {
	c.tick(now)
	return c.admission.arrive(p)
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
