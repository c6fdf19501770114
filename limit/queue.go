package limit

import "time"

// queue is a class's: a list for each tier, the oldest waiter first.
type queue struct {
	tiers  [tiers]list
	length int
}

type list struct {
	oldest, newest *Waiter
	length         int
}

func (q *queue) list(w *Waiter) *list { return &q.tiers[min(w.ask.Priority.Tier, Background)] }

func (q *queue) push(w *Waiter) {
	l := q.list(w)
	w.state = queued
	w.prev, w.next = l.newest, nil
	if l.newest == nil {
		l.oldest = w
	} else {
		l.newest.next = w
	}
	l.newest = w
	l.length++
	q.length++
}

func (q *queue) remove(w *Waiter) {
	l := q.list(w)
	if w.prev == nil {
		l.oldest = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.newest = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	l.length--
	q.length--
}

// first is whose turn it is: the oldest, or the newest with lifo.
func (l *list) first(lifo bool) *Waiter {
	if lifo {
		return l.newest
	}
	return l.oldest
}

// following is who comes after w.
func (w *Waiter) following(lifo bool) *Waiter {
	if lifo {
		return w.prev
	}
	return w.next
}

// ahead is how many are served before a newcomer of a tier, if the oldest goes first.
func (q *queue) ahead(t Tier) int {
	n := 0
	for i := range min(t, Background) + 1 {
		n += q.tiers[i].length
	}
	return n
}

// best is the tier whose turn it is; there is somebody.
func (q *queue) best() Tier {
	for t := range q.tiers {
		if q.tiers[t].oldest != nil {
			return Tier(t)
		}
	}
	return Background
}

// worst is the newest of the worst tier, or nil.
func (q *queue) worst() *Waiter {
	for t := tiers - 1; t >= 0; t-- {
		if w := q.tiers[t].newest; w != nil {
			return w
		}
	}
	return nil
}

// pick finds whose turn it is. A tenant with most permits or more lets others go first; if there are none, it goes on.
func (q *queue) pick(lifo bool, tenants map[uint64]int, most int) *Waiter {
	var passedOver *Waiter
	for t := range q.tiers {
		for w := q.tiers[t].first(lifo); w != nil; w = w.following(lifo) {
			if w.ask.Tenant == 0 || tenants[w.ask.Tenant] < most {
				return w
			}
			if passedOver == nil {
				passedOver = w
			}
		}
	}
	return passedOver
}

// age is how long the oldest has waited.
func (q *queue) age(now time.Duration) time.Duration {
	since := now
	for t := range q.tiers {
		if w := q.tiers[t].oldest; w != nil {
			since = min(since, w.since)
		}
	}
	return now - since
}
