package limit

import "time"

// Refuse is the part of Acquire that is known before anything else is done for a request: it counts the arrival, and returns the
// *ShedError of one that would not be let in. What has passed is to come to Acquire with Ask.Admitted, or not at all.
func (l *Limiter) Refuse(a Ask) error {
	if l.options.Fixed {
		return nil
	}
	c := &l.classes[a.Class]
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !c.refuses(a.Priority, now) || l.idle(c, now) {
		return nil
	}
	return l.shed(c, a.Priority.Tier, LowPriority)
}

// idle tells whether a permit can be had at once, and there is no overload that it should be kept for.
func (l *Limiter) idle(c *class, now time.Duration) bool {
	return c.queue.length == 0 && l.may(c) && !c.overloaded(now)
}

// Level of overload: 0 without, and if Options.Fixed; 1 while work of the tier Background is being refused, 2 Sheddable, 3 better
// than that.
func (l *Limiter) Level() int {
	if l.options.Fixed {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	level, now := 0, l.now()
	for i := range l.classes {
		c := &l.classes[i]
		c.tick(now)
		if c.overloaded(now) {
			level = max(level, 1)
		}
		if c.admission.share < 1 {
			level = max(level, int(Background-Tier(c.admission.level/cohorts))+1)
		}
	}
	return min(level, 3)
}
