package cache

import (
	"slices"
	"sync/atomic"
)

// recent is what a table has to remember of its latest changes, as fills under way may not have seen them.
type recent struct {
	changes []Change
	// marks are kept in place of changes when there are too many; until they are forgotten, nothing is stored.
	marks []Mark
}

// recentTotals are over all tables.
type recentTotals struct {
	most    int64
	changes atomic.Int64
	bytes   atomic.Int64
	marks   atomic.Int64
}

const (
	recentBytes = 1 << 10 // of a change, on average
	recentMarks = 16      // as many marks as there may be changes
)

// Apply takes changes in the order in which the source committed them. Entries that one of them makes wrong are not served
// any more when it returns. The cache keeps the rows: they must not change afterwards.
func (c *Cache) Apply(changes ...Change) {
	for i := range changes {
		c.apply(&changes[i])
	}
}

func (c *Cache) apply(ch *Change) {
	t := c.table(ch.Table)
	t.mu.Lock()
	t.remember(ch, &c.recent)
	t.leave(ch, c)
	killed := t.kill(ch, c.returned.Load())
	t.mu.Unlock()
	c.bury(killed)
	c.counts.invalidated.Add(uint64(len(killed)))
	if c.recent.marks.Load() > recentMarks*c.recent.most {
		c.Reset("too many changes that no heartbeat has seen")
	}
}

func (t *table) remember(ch *Change, totals *recentTotals) {
	r := &t.recent
	if r.marks != nil {
		r.mark(ch.Mark, totals)
		return
	}
	kept := *ch
	kept.Before, kept.After = ch.Before.compact(), ch.After.compact()
	r.changes = append(r.changes, kept)
	n := totals.changes.Add(1)
	if bytes := totals.bytes.Add(kept.size()); n <= totals.most && bytes <= totals.most*recentBytes {
		return
	}
	r.marks = []Mark{}
	for i := range r.changes {
		r.mark(r.changes[i].Mark, totals)
	}
	totals.forget(r.changes)
	r.changes = nil
}

// mark remembers a transaction once, as its changes come one after the other.
func (r *recent) mark(m Mark, totals *recentTotals) {
	if n := len(r.marks); n == 0 || r.marks[n-1] != m {
		r.marks = append(r.marks, m)
		totals.marks.Add(1)
	}
}

// rejects says whether a change that is remembered may make wrong what depends so, unseen by it.
func (r *recent) rejects(d *dependency) Reject {
	if r.marks != nil {
		return RejectOverflow
	}
	for i := range r.changes {
		ch := &r.changes[i]
		if (d.stamp == nil || !d.stamp.Saw(ch.Mark)) && d.watch.matches(ch) {
			return RejectChanged
		}
	}
	return stored
}

// forget forgets the changes of which old is true.
func (r *recent) forget(totals *recentTotals, old func(Mark) bool) {
	kept := r.changes[:0]
	for i := range r.changes {
		if ch := &r.changes[i]; old(ch.Mark) {
			totals.changes.Add(-1)
			totals.bytes.Add(-ch.size())
		} else {
			kept = append(kept, *ch)
		}
	}
	clear(r.changes[len(kept):])
	r.changes = kept
	if len(kept) == 0 {
		r.changes = nil
	}
	if r.marks == nil {
		return
	}
	before := len(r.marks)
	r.marks = slices.DeleteFunc(r.marks, old)
	totals.marks.Add(int64(len(r.marks) - before))
	if len(r.marks) == 0 {
		r.marks = nil
	}
}

func (t *recentTotals) forget(changes []Change) {
	for i := range changes {
		t.bytes.Add(-changes[i].size())
	}
	t.changes.Add(-int64(len(changes)))
}

func (ch *Change) size() int64 {
	const fixed = 80
	return int64(fixed + ch.Before.size() + ch.After.size())
}
