package limit

import "time"

// keepFree is the least Max with which a class that has nothing under way finds a permit at once.
const keepFree = 8

// Permit is the right to use the upstream once. Its zero value is none, and releases nothing.
type Permit struct {
	limiter *Limiter
	class   *class
	tenant  uint64
	quiet   bool // it was given without congestion
}

// Outcome is what came of a permit.
type Outcome struct {
	Took   time.Duration // the time of the work itself; 0: unknown
	Shape  *Baseline     // the kind of work; nil: its class's
	Failed Failure
}

// Failure tells whether the upstream failed to do the work.
type Failure uint8

// The failures that matter.
const (
	None     Failure = iota // its latency counts; an error of the client's own is none
	TimedOut                // it took longer than anybody would wait
	Refused                 // the upstream said that it was asked for too much, such as PostgreSQL's 53300
	Ignore                  // says nothing about the upstream: the client left, or another limit was hit
)

// Release gives the permit back. It is called once for each.
func (p Permit) Release(o Outcome) {
	l, c := p.limiter, p.class
	if l == nil {
		return
	}
	at := time.Now()
	now := at.Sub(l.start)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	full := c.queue.length > 0
	c.gave(p.tenant)
	if !l.options.Fixed {
		c.vegas.sample(&o, p.quiet, now, at)
		if c.vegas.due(now) {
			c.vegas.end(now, full)
		}
		c.tick(now)
		l.sweep(c, now)
	}
	l.grant(now)
}

// grant gives free permits to those who wait.
func (l *Limiter) grant(now time.Duration) {
	for l.queued > 0 {
		var c *class
		for i := range l.classes {
			if d := &l.classes[i]; d.queue.length > 0 && l.may(d) && (c == nil || d.before(c)) {
				c = d
			}
		}
		if c == nil {
			return
		}
		w := c.queue.pick(c.lifo(now), c.tenants, c.mostOfTenant(l.options.TenantShare))
		if l.tooLate(w, now) {
			l.drop(w, Deadline)
			continue
		}
		l.unqueue(w)
		c.admission.shortest = min(c.admission.shortest, c.queue.length)
		w.permit = l.permit(c, w.ask.Tenant)
		w.end()
	}
}

// may tells whether the class may have another permit.
func (l *Limiter) may(c *class) bool {
	free := l.options.Max - l.inFlight
	if free <= 0 || c.inFlight >= c.vegas.most() {
		return false
	}
	return c.inFlight < c.share || free > l.keptFree(c)
}

// keptFree is how many permits a class may not borrow: one, as long as there is another one that has none.
func (l *Limiter) keptFree(c *class) int {
	if l.options.Max < keepFree {
		return 0
	}
	for i := range l.classes {
		if other := &l.classes[i]; other != c && other.inFlight == 0 {
			return 1
		}
	}
	return 0
}

func (l *Limiter) permit(c *class, tenant uint64) Permit {
	l.inFlight++
	c.took(tenant)
	if !l.may(c) {
		c.admission.busy = true
	}
	return Permit{limiter: l, class: c, tenant: tenant, quiet: l.quiet(c)}
}

// quiet tells whether what begins now in c meets no congestion that is due to the limiter: little is under way, or no
// class could have less.
func (l *Limiter) quiet(c *class) bool {
	if l.inFlight <= c.vegas.quietBelow() {
		return true
	}
	for i := range l.classes {
		if d := &l.classes[i]; d.inFlight > 0 && !d.vegas.atFloor() {
			return false
		}
	}
	return true
}
