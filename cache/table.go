package cache

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	maxGroups    = 64   // per table; the watches of further ones count as if they had no columns
	maxEvaluated = 1024 // watches whose terms are evaluated in vain, per change and list
	minRebuilt   = 1024 // values of a group from which its map is built anew when it has become too large
)

// table is an index of what depends on one Table, and its recent changes. One that was made stays: there are as many as
// the source has tables.
type table struct {
	id    Table
	fence atomic.Uint64 // what depends on the table is not served before this position was applied

	mu      sync.Mutex
	groups  []*group
	recent  recent
	written uint64  // the moment of the last Wrote
	latest  Horizon // change
	traced  []traced
}

// group holds the watches of a table that look at the same side and columns.
type group struct {
	side    Side
	columns []Column
	lists   map[uint64]*ref // by hash of the columns' values; without columns all are under 0
	peak    int             // most lists there were: Go's maps never shrink
}

// dependency is a watch of an entry. Its index fields are guarded by the table's lock.
type dependency struct {
	entry   *Entry
	table   *table
	watch   Watch
	stamp   Stamp
	given   uint64 // the moment the stamp was given: see Cache.moment
	carries bool   // the stamp's bytes; others may share it
	group   *group // nil when it is in no index
	refs    []ref
}

// ref is a dependency's place in the list of one value.
type ref struct {
	dependency *dependency
	next, prev *ref
}

// hash returns the value that refs[i] is listed under. A watch with Columns and no Values has one too: the change of a
// whole table must find it.
func (d *dependency) hash(i int) uint64 {
	if len(d.group.columns) == 0 || i >= len(d.watch.Values) {
		return 0
	}
	return d.watch.Values[i]
}

func (t *table) link(d *dependency) {
	d.group = t.group(d.watch.Side, d.watch.Columns)
	n := 1
	if len(d.group.columns) > 0 {
		n = max(n, len(d.watch.Values))
	}
	d.refs = make([]ref, n)
	for i := range d.refs {
		r, h := &d.refs[i], d.hash(i)
		r.dependency, r.next = d, d.group.lists[h]
		if r.next != nil {
			r.next.prev = r
		}
		d.group.lists[h] = r
	}
	d.group.peak = max(d.group.peak, len(d.group.lists))
}

func (t *table) unlink(d *dependency) {
	g := d.group
	if g == nil {
		return
	}
	for i := range d.refs {
		r := &d.refs[i]
		if r.next != nil {
			r.next.prev = r.prev
		}
		switch h := d.hash(i); {
		case r.prev != nil:
			r.prev.next = r.next
		case r.next != nil:
			g.lists[h] = r.next
		default:
			delete(g.lists, h)
		}
	}
	d.group, d.refs = nil, nil
	switch {
	case len(g.lists) == 0:
		t.groups = slices.DeleteFunc(t.groups, func(o *group) bool { return o == g })
	case g.peak > minRebuilt && len(g.lists) < g.peak/4:
		g.rebuild()
	}
}

func (t *table) group(side Side, columns []Column) *group {
	for _, g := range t.groups {
		if g.side == side && slices.Equal(g.columns, columns) {
			return g
		}
	}
	if len(columns) > 0 && len(t.groups) >= maxGroups {
		return t.group(side, nil)
	}
	g := &group{side: side, columns: slices.Clone(columns), lists: map[uint64]*ref{}}
	t.groups = append(t.groups, g)
	return g
}

func (g *group) rebuild() {
	lists := make(map[uint64]*ref, len(g.lists))
	for h, r := range g.lists {
		lists[h] = r
	}
	g.lists, g.peak = lists, len(lists)
}

// kill marks the entries that a change makes wrong as dead and returns them. They leave the indexes later, without the
// table's lock: see Cache.remove. A stamp that was given before the moment returned has seen no change that is still to come.
func (t *table) kill(ch *Change, returned uint64) []*Entry {
	k := killer{change: ch, returned: returned}
	for _, g := range t.groups {
		switch {
		case g.side == tag:
			continue
		case ch.Whole:
			k.all(g, nil)
			continue
		}
		if g.side != After {
			k.row(g, ch.Before)
		}
		if g.side != Before {
			k.row(g, ch.After)
		}
	}
	return k.killed
}

type killer struct {
	change   *Change
	returned uint64
	killed   []*Entry
}

func (k *killer) row(g *group, r Row) {
	if r == nil {
		return
	}
	switch h, state := r.hash(g.columns); {
	case len(g.columns) == 0:
		k.list(g.lists[0], r)
	case state == Known:
		k.list(g.lists[h], r)
	case state == Unknown:
		k.all(g, r)
	}
}

func (k *killer) all(g *group, r Row) {
	for _, first := range g.lists {
		k.list(first, r)
	}
}

// list kills what is in one list; without a row whatever the terms say.
func (k *killer) list(first *ref, row Row) {
	patience := maxEvaluated
	for r := first; r != nil; r = r.next {
		d := r.dependency
		if d.given >= k.returned && d.stamp != nil && d.stamp.Saw(k.change.Mark) || d.entry.dead.Load() {
			continue
		}
		if row != nil && patience > 0 && !d.watch.holds(row) {
			patience--
			continue
		}
		if !d.entry.dead.Swap(true) {
			k.killed = append(k.killed, d.entry)
		}
	}
}
