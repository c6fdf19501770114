package cache

// SweepTraces forgets what changes have left behind, which nothing else does.
func (c *Cache) SweepTraces() {
	c.traces.Store(new(traces))
	for _, t := range c.allTables() {
		t.mu.Lock()
		t.latest, t.traced = Horizon{}, nil
		t.mu.Unlock()
	}
}
