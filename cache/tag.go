package cache

// tag is the Side of a watch that no change matches: see Fill.Tag.
const tag Side = After + 1

func (d *dependency) isTag() bool { return d.watch.Side == tag }

// Tag says which tables an answer is about that may be served until its limit whether or not changes are told. An entry
// with tags alone is dropped by purges of these tables and by Wrote, and by nothing else before its limit. One with watches
// too is also dropped by what they match; when it is not certain any more that all changes have arrived, its limit alone
// decides. Without a limit, an entry with tags is not stored.
func (f *Fill) Tag(tables ...Table) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range tables {
		f.dependencies = append(f.dependencies, dependency{table: f.cache.table(id), watch: Watch{Table: id, Side: tag}})
	}
}

// Wrote drops the entries that have one of the tables among their tags, or any tag if no table is given, and keeps fills under
// way from storing such entries. Of those whose watches are followed it drops none: Fence is for them. Who writes to
// the source calls it after COMMIT, and after Fence, and before answering: then whoever saw the answer does not see the row
// of before.
func (c *Cache) Wrote(tables ...Table) {
	// A fill that began before this moment may have read before the COMMIT. Either End sees that, or its entry is found here:
	// both happen under the lock of the table.
	now := c.moment.Add(1)
	written := make([]*table, 0, len(tables))
	for _, id := range tables {
		written = append(written, c.table(id))
	}
	if len(tables) == 0 {
		c.control.Lock()
		raise(&c.written, now) // for tables that are made from now on
		c.control.Unlock()
		written = c.allTables()
	}
	for _, t := range written {
		t.mu.Lock()
		t.written = max(t.written, now)
		killed := t.killTagged(true)
		t.mu.Unlock()
		c.bury(killed)
		c.counts.invalidated.Add(uint64(len(killed)))
	}
}

// killTagged marks the entries that have the table among their tags as dead and returns them, but for those that are followed
// if those are spared.
func (t *table) killTagged(spare bool) (killed []*Entry) {
	for _, g := range t.groups {
		if g.side != tag {
			continue
		}
		for r := g.lists[0]; r != nil; r = r.next {
			if e := r.dependency.entry; !(spare && e.followed()) && !e.dead.Swap(true) {
				killed = append(killed, e)
			}
		}
	}
	return killed
}

// followed reports whether the changes that the entry watches for arrive, in the stream in which it was filled.
func (e *Entry) followed() bool { return e.watched && e.stream == e.cache.stream.Load() }

// unfollow drops the entries that nothing but their watches would drop. Of those with tags it drops the ones that a fence holds
// back, since nothing will tell the change that it waits for. control is locked, and fences stand.
//
// An entry that is stored meanwhile either is seen here or sees the new stream.
func (c *Cache) unfollow() {
	c.stream.Add(1)
	var killed []*Entry
	for e := range c.entries.Values() {
		if e.watched && (!e.tagged || c.fences.before(e)) {
			e.dead.Store(true)
			killed = append(killed, e)
		}
	}
	c.bury(killed)
}

// Limited reports whether the entry has tags: whether it is served until its limit even where it is not certain that
// nothing has changed.
func (e *Entry) Limited() bool { return e.tagged }

// Tags returns the tables of Fill.Tag.
func (e *Entry) Tags() []Table {
	var out []Table
	for i := range e.dependencies {
		if d := &e.dependencies[i]; d.isTag() {
			out = append(out, d.table.id)
		}
	}
	return out
}
