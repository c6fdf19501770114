package cache

import "math"

// Purge drops the entry of a key.
func (c *Cache) Purge(k Key) {
	c.undateNow()
	c.flights.voidKey(k)
	if e, found := c.entries.GetEntryQuietly(k); found {
		c.drop(e.Value)
	}
}

// PurgeTable drops the entries that depend on a table in any way.
func (c *Cache) PurgeTable(id Table) { c.purge(&Change{Table: id, Whole: true}) }

// PurgeRow drops the entries that a change of the row would drop. Give the columns that are known, such as the key.
func (c *Cache) PurgeRow(id Table, row Row) { c.purge(&Change{Table: id, Before: row, After: row}) }

// PurgeAll drops all entries.
func (c *Cache) PurgeAll() { c.Flush() }

// purge voids all fills under way, as nothing tells what they have seen.
func (c *Cache) purge(ch *Change) {
	c.undateNow()
	c.flights.void(math.MaxUint64)
	t := c.table(ch.Table)
	t.mu.Lock()
	killed := append(t.kill(ch, math.MaxUint64), t.killTagged(false)...)
	t.mu.Unlock()
	c.bury(killed)
}
