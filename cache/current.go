package cache

// Current reports whether an entry that depends on what Depend was told would be stored and served now: then the answer is
// one that a hit could have given, and shows our own writes as a hit does. Who reads from a standby asks before the answer
// is used. If it is not, Restart, and read from the primary.
//
// End asks again, as changes may have come since.
func (f *Fill) Current() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return false
	}
	// As in judge, the lease and the fences come before the changes: what they promise to have been applied is remembered by
	// then, or was forgotten as every reading sees it.
	e := f.entry(nil)
	if !e.Followed() || f.cache.refuses(e) != served {
		return false
	}
	r := stored
	e.locked(func() { r = f.unfit(e) })
	return r == stored
}

// Restart forgets what Depend was told, for a second reading of the source.
func (f *Fill) Restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dependencies = nil
}
