package limit

import (
	"context"
	"sync"
	"time"
)

// Options of a Limiter. Only Max is needed.
type Options struct {
	Max int // permits at most, such as the connections of a pool
	Min int // permits of a class at least, however slow the upstream is; default 2, never above Max

	// Classes are the bulkheads. Default: one, of all.
	Classes []Class

	// TenantShare is how much of a class's limit one tenant may have while others wait; default 0.5.
	TenantShare float64

	// Queue is how many may wait; each class has its share of it. Default 1024.
	Queue int

	// A class is overloaded when the wait in its queue has been above Target for Interval; then arrivals are refused, and
	// those who have waited for twice the target (four times, in a short queue) are dropped, save critical ones. Both stretch where the work itself takes longer than Target: a
	// wait of as long as the work is no overload. Default 20 ms, 100 ms.
	Target, Interval time.Duration

	// Fixed switches protection off: the limit is Max, there are no classes, tiers and tenants, first come is first served,
	// and nobody is shed save by Queue and his own deadline.
	Fixed bool
}

// Class is a bulkhead: a kind of work that others cannot crowd out.
type Class struct {
	Name  string
	Share float64 // of Max; it has one permit at least. Shares sum up to 1.
}

func (o Options) withDefaults() Options {
	o.Max = max(1, o.Max)
	o.Min = min(o.Max, either(o.Min, 2))
	o.TenantShare = either(o.TenantShare, 0.5)
	o.Queue = either(o.Queue, 1024)
	o.Target = either(o.Target, 20*time.Millisecond)
	o.Interval = either(o.Interval, 100*time.Millisecond)
	if o.Fixed || len(o.Classes) == 0 {
		o.Classes = []Class{{Name: "all", Share: 1}}
	}
	return o
}

// either is value, or fallback where value is not positive.
func either[T int | float64 | time.Duration](value, fallback T) T {
	if value > 0 {
		return value
	}
	return fallback
}

// Limiter is the only queue before one upstream. It may be used by many at a time, and starts no goroutine.
type Limiter struct {
	options Options
	start   time.Time
	waiters sync.Pool // of *Waiter
	timers  sync.Pool // of stopped *time.Timer

	mu       sync.Mutex
	classes  []class
	inFlight int
	queued   int
	sheds    [tiers][reasons]uint64
}

// New makes a limiter.
func New(o Options) *Limiter {
	o = o.withDefaults()
	l := &Limiter{options: o, start: time.Now(), classes: make([]class, len(o.Classes))}
	l.waiters.New = func() any { return &Waiter{turn: make(chan struct{}, 1)} }
	l.timers.New = func() any {
		t := time.NewTimer(time.Hour)
		t.Stop()
		return t
	}
	for i, c := range o.Classes {
		l.classes[i] = class{
			share:     max(1, int(c.Share*float64(o.Max)+0.001)), // 0.3 of 10 is 3
			room:      max(1, int(c.Share*float64(o.Queue)+0.001)),
			tenants:   make(map[uint64]int, o.Max),
			vegas:     newVegas(o.Min, o.Max),
			admission: newAdmission(o.Target, o.Interval),
			errors:    newShedErrors(c.Name),
		}
	}
	return l
}

// now is monotonic, unlike the time of day.
func (l *Limiter) now() time.Duration { return time.Since(l.start) }

// Ask says who wants a permit.
type Ask struct {
	Class    int // index in Options.Classes
	Priority Priority
	Tenant   uint64        // see TenantOf; 0: nobody
	Admitted bool          // Refuse has let it in
	Wait     time.Duration // longest wait; 0: as long as the context lasts
	Shape    *Baseline     // what is going to be done, as far as known: who has no time left for that is shed at once

	// Rider is what a holder may take along; nil: nothing. Stays tells that once it is taken along, Acquire waits for
	// its result even after the context has ended.
	Rider any
	Stays bool
}

// Acquire waits for a permit, to be given back with Release. Where a holder of another permit has taken Ask.Rider along,
// there is no permit, and passed is what was given to Waiter.Pass. Errors are *ShedError or ctx's.
func (l *Limiter) Acquire(ctx context.Context, a Ask) (p Permit, passed any, err error) {
	if l.options.Fixed {
		a.Class, a.Priority, a.Tenant = 0, Priority{}, 0
	}
	c := &l.classes[a.Class]
	l.mu.Lock()
	now := l.now()
	refused := !l.options.Fixed && !a.Admitted && c.refuses(a.Priority, now)
	if c.queue.length == 0 && l.may(c) && !(refused && c.overloaded(now)) {
		p = l.permit(c, a.Tenant)
		l.mu.Unlock()
		return p, nil, nil
	}
	if refused {
		err = l.shed(c, a.Priority.Tier, LowPriority)
		l.mu.Unlock()
		return Permit{}, nil, err
	}
	w, err := l.enqueue(ctx, c, a, now)
	l.mu.Unlock()
	if err != nil {
		return Permit{}, nil, err
	}
	return l.wait(ctx, w)
}

// enqueue puts a new waiter into the queue, unless there is no room or no time for it.
func (l *Limiter) enqueue(ctx context.Context, c *class, a Ask, now time.Duration) (*Waiter, error) {
	w := l.waiters.Get().(*Waiter)
	w.limiter, w.class, w.ask, w.since = l, c, a, now
	if deadline, ok := ctx.Deadline(); ok {
		w.until = max(1, deadline.Sub(l.start))
	}
	err := l.admit(w, now)
	if err != nil {
		*w = Waiter{turn: w.turn}
		l.waiters.Put(w)
		return nil, err
	}
	return w, nil
}

func (l *Limiter) admit(w *Waiter, now time.Duration) error {
	c, tier := w.class, w.ask.Priority.Tier
	if l.tooLate(w, now) {
		return l.shed(c, tier, Deadline)
	}
	l.sweep(c, now)
	if c.queue.length >= c.room {
		worst := c.queue.worst()
		if worst.ask.Priority.Tier <= tier {
			return l.shed(c, tier, QueueFull)
		}
		l.drop(worst, QueueFull)
	}
	c.queue.push(w)
	l.queued++
	return nil
}

// tooLate tells whether w's deadline is before the end of its work.
func (l *Limiter) tooLate(w *Waiter, now time.Duration) bool {
	if w.until == 0 || l.options.Fixed {
		return false
	}
	need := time.Duration(0)
	if w.ask.Shape != nil {
		need = w.ask.Shape.Mean()
	}
	return w.until < now+need
}

// sweep drops those of an overloaded class who have waited too long. While the oldest go first, so few wait that all of
// them can be served soon; then it takes longer until one is dropped, as that is late to be told.
func (l *Limiter) sweep(c *class, now time.Duration) {
	if l.options.Fixed || c.queue.length == 0 || !c.overloaded(now) {
		return
	}
	most := 4 * c.patience()
	if c.lifo(now) {
		most = 2 * c.patience()
	}
	for t := Default; t < tiers; t++ {
		for w := c.queue.tiers[t].oldest; w != nil && now-w.since > most; w = c.queue.tiers[t].oldest {
			l.drop(w, WaitedTooLong)
		}
	}
}

// drop sheds somebody who waits.
func (l *Limiter) drop(w *Waiter, r Reason) {
	l.unqueue(w)
	w.err = l.shed(w.class, w.ask.Priority.Tier, r)
	w.end()
}

func (l *Limiter) unqueue(w *Waiter) {
	w.class.queue.remove(w)
	l.queued--
}

func (l *Limiter) shed(c *class, t Tier, r Reason) *ShedError {
	t = min(t, Background)
	l.sheds[t][r]++
	return c.errors.pick(r, t)
}
