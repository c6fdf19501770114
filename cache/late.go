package cache

import "time"

// Grace says for how long after its limit the entry may still be served: while it is filled anew, and where that fails. See
// Late and RFC 5861. The default is 0.
func (f *Fill) Grace(whileRevalidate, ifError time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revalidate, f.ifError = whileRevalidate, ifError
}

// Grace returns what was given to Fill.Grace.
func (e *Entry) Grace() (whileRevalidate, ifError time.Duration) { return e.revalidate, e.ifError }

// Late returns the entry of a key if nothing but its limit keeps it from being served, and how long ago that has passed, or
// less than 0 if it has not; else nil. It counts nothing. Whether it is served nevertheless is up to the caller.
//
// Entries are not removed when their time is over, but make room when others need it.
func (c *Cache) Late(k Key) (e *Entry, late time.Duration) {
	found, ok := c.entries.GetEntryQuietly(k)
	if !ok || found.Value.expires == 0 {
		return nil, 0
	}
	m, now := c.standing(found.Value)
	if m != served {
		return nil, 0
	}
	return found.Value, now - found.Value.expires
}

// usable reports whether an entry may be served, even to whom Get would choose to fill it anew.
func (c *Cache) usable(e *Entry) bool {
	m, now := c.standing(e)
	return m == served && (e.expires == 0 || now < e.expires)
}
