package slipstream

// StandbyStatus says what a standby of db-replicas does for the cache.
type StandbyStatus struct {
	// Name is its host and port.
	Name string `json:"name"`
	// Fills is true while answers are read from it that the cache is to keep; if it is false, Reason says why.
	Fills  bool   `json:"fills"`
	Reason string `json:"reason,omitempty"`
	// LagMilliseconds is for how long it has not replayed what the cache knows, as seen a quarter of a second ago at most.
	LagMilliseconds int64 `json:"lagMilliseconds"`
	// Used counts answers that were read from it, and Discarded those that were read from the primary after all, as they
	// could not be had from it, or were not as new as the cache.
	Used      uint64 `json:"used"`
	Discarded uint64 `json:"discarded"`
}

func (s *standbys) status() []StandbyStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]StandbyStatus, len(s.all))
	for i, b := range s.all {
		out[i] = StandbyStatus{
			Name: b.name, Fills: s.mayFill(b), Reason: b.reason, LagMilliseconds: b.lag.Milliseconds(),
			Used: b.used, Discarded: b.closed - b.used,
		}
		if b.fills && !out[i].Fills {
			out[i].Reason = "the last look at it is too long ago, as while nobody uses the cache"
		}
	}
	return out
}
