package limit

// Stats tell what a limiter does.
type Stats struct {
	Max      int
	InFlight int
	Queued   int
	Classes  []ClassStats // as in Options.Classes; one if Options.Fixed

	// Sheds counts by tier and reason, since New.
	Sheds [tiers][reasons]uint64
}

// ClassStats tell what a class does.
type ClassStats struct {
	Name       string
	Limit      int // what the upstream bears, at present
	InFlight   int
	Queued     int
	Overloaded bool
	Admitted   float64  // the share of arrivals that are admitted; 1: all
	Threshold  Priority // the worst of which any are
}

// Overloaded tells whether any class is.
func (s *Stats) Overloaded() bool {
	for i := range s.Classes {
		if s.Classes[i].Overloaded {
			return true
		}
	}
	return false
}

// Shed is how many of a tier have been shed for a reason.
func (s *Stats) Shed(t Tier, r Reason) uint64 { return s.Sheds[t][r] }

// Stats returns what the limiter does at the moment.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	s := Stats{Max: l.options.Max, InFlight: l.inFlight, Queued: l.queued, Sheds: l.sheds}
	s.Classes = make([]ClassStats, len(l.classes))
	for i := range l.classes {
		c := &l.classes[i]
		if !l.options.Fixed {
			c.tick(now) // nobody may have come for long
		}
		s.Classes[i] = ClassStats{
			Name: l.options.Classes[i].Name, Limit: c.vegas.most(), InFlight: c.inFlight, Queued: c.queue.length,
			Overloaded: c.overloaded(now), Admitted: c.admission.share, Threshold: priorityOf(c.admission.level),
		}
	}
	return s
}
