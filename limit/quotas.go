package limit

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// Quotas decides on charges of any number of meters, all of them together: where one is refused, none is charged. It is
// safe for concurrent use.
type Quotas struct {
	options QuotaOptions
	start   time.Time
	meters  atomic.Uint64
}

// QuotaOptions are the settings of NewQuotas. The zero value counts in this process alone.
type QuotaOptions struct {
	// Shared has the counts of several processes; nil shares none.
	Shared Shared
	// Away is what is done while Shared fails.
	Away Away
	// Slack is the longest that Shared takes for an answer. Default 25 ms.
	Slack time.Duration
	// Asked, if not nil, is called after each call of Shared.
	Asked func(took time.Duration, err error)
}

// Away is what is done while counts cannot be shared.
type Away int

// The choices.
const (
	// UseShare lets each process admit its part of the rate: by the number of processes that were there at last.
	UseShare Away = iota
	// UseWhole lets each process admit the whole rate.
	UseWhole
	// RefuseAll admits nothing but dry runs.
	RefuseAll
)

// Source is where a decision was made.
type Source int

// The sources.
const (
	Local    Source = iota // by this process's own counts
	Together               // by the counts that are shared
	Fallback               // by this process, as Away says
	Closed                 // nowhere: everything is refused, as Away says
)

// NewQuotas makes one; it starts nothing.
func NewQuotas(o QuotaOptions) *Quotas {
	if o.Slack == 0 {
		o.Slack = 25 * time.Millisecond
	}
	return &Quotas{options: o, start: time.Now()}
}

// NewMeter makes a meter of a rate that Check has passed. Processes share the counts of meters with the same name, which must
// have the same rate. It knows up to keys keys at once; 0 is DefaultKeys.
func (q *Quotas) NewMeter(name string, r Rate, keys int) *Meter {
	if keys == 0 {
		keys = DefaultKeys
	}
	return newMeter(name, r, keys, q.meters.Add(1))
}

// now is in microseconds since the start, by the clock that nobody sets.
func (q *Quotas) now() int64 { return time.Since(q.start).Microseconds() }

// Take charges all or, where one that is no dry run is refused, nothing. No two of them are of the same meter and key: what is
// wanted of these is one charge, with the sum of the costs. It fills in the charges' results. Where it asks
// Shared, it waits for that; else it neither waits nor allocates.
func (q *Quotas) Take(ctx context.Context, charges []Charge) (admitted bool, by Source) {
	if len(charges) == 0 {
		return true, Local
	}
	if q.options.Shared == nil {
		return q.take(charges, 1), Local
	}
	// What is refused by what this process knows, the others would refuse, too.
	if !q.Peek(charges) {
		return false, Local
	}
	admitted, err := q.ask(ctx, charges)
	switch {
	case err == nil:
		return admitted, Together
	case q.options.Away == RefuseAll && slices.ContainsFunc(charges, func(c Charge) bool { return !c.DryRun }):
		return false, Closed
	case q.options.Away == UseWhole:
		return q.take(charges, 1), Fallback
	}
	return q.take(charges, int64(max(1, q.options.Shared.Instances()))), Fallback
}

// Peek is Take that charges nothing and asks nobody: false is what Take would say, true is not certain.
func (q *Quotas) Peek(charges []Charge) (admitted bool) {
	now := q.now()
	for i := range charges {
		c := &charges[i]
		c.share = 1
		c.set = &c.Meter.sets[c.Meter.index(&c.Key)]
		c.set.mu.Lock()
		c.debt = c.set.owes(&c.Key, now)
		c.set.mu.Unlock()
	}
	return judge(charges)
}

// take decides by this process's counts, of one part in share of each rate.
func (q *Quotas) take(charges []Charge, share int64) (admitted bool) {
	now := q.now()
	var room [8]held
	locked := lock(charges, room[:0])
	for i := range charges {
		c := &charges[i]
		c.share = share
		c.debt = c.set.owes(&c.Key, now)
	}
	if admitted = settle(charges); admitted {
		for i := range charges {
			if c := &charges[i]; !c.Refused {
				c.put(now, now+c.debt)
			}
		}
	}
	for _, h := range locked {
		h.set.mu.Unlock()
	}
	return admitted
}

// held is a set that is locked, or to be.
type held struct {
	order uint64
	set   *set
}

// lock locks the sets of all charges, each once and always in the same order, so that no two calls wait for each other.
func lock(charges []Charge, sets []held) []held {
	for i := range charges {
		c := &charges[i]
		index := c.Meter.index(&c.Key)
		c.set = &c.Meter.sets[index]
		order := c.Meter.order<<32 | index
		at := len(sets)
		for at > 0 && sets[at-1].order > order {
			at--
		}
		if at == 0 || sets[at-1].order != order {
			sets = slices.Insert(sets, at, held{order, c.set})
		}
	}
	for _, h := range sets {
		h.set.mu.Lock()
	}
	return sets
}
