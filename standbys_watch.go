package slipstream

import (
	"context"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
)

// looking is called before each look at standby i. It gives what decides by that whether the standby may fill.
func (s *standbys) looking(i int) func(context.Context, feed.Sight, error) {
	b := s.all[i]
	if !s.used() {
		b.behind = b.behind[:0]
		return nil
	}
	l := look{began: s.clock(), applied: s.feed.Status().Applied}
	s.mu.Lock()
	l.closed, l.holds = b.closed, s.holds
	s.mu.Unlock()
	return func(ctx context.Context, sight feed.Sight, err error) {
		l.sight, l.err = sight, err
		reason := s.count(b, &l)
		if reason == "" && b.imitated != l.holds {
			imitating, cancel := context.WithTimeout(ctx, s.staleness)
			defer cancel()
			if err := b.db.Imitate(imitating, s.primary); err != nil {
				reason = err.Error()
			} else {
				b.imitated = l.holds
			}
		}
		s.conclude(b, &l, reason)
	}
}

// look is one look at a standby.
type look struct {
	began   time.Duration // the clock's reading before it
	applied uint64        // what the feed had applied then
	closed  uint64        // the turns that had ended then
	holds   uint64        // how often standbys had been held then
	sight   feed.Sight
	err     error
}

// count tells the cache of a standby that may fill, or will soon, and leaves out one that must not. It returns why the
// standby may not fill yet, or nothing.
func (s *standbys) count(b *standby, l *look) (reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.err != nil {
		return s.leaveOut(b, "it cannot be looked at: "+l.err.Error(), l.began-b.looked > s.staleness)
	}
	if alien := s.feed.Alien(l.sight); alien != "" {
		return s.leaveOut(b, alien, true)
	}
	b.looked, b.confirmed = l.began, l.closed
	b.lag = b.behind.lag(l.began, l.applied, l.sight.Replayed)
	switch {
	case l.sight.Replayed < b.told:
		return s.leaveOut(b, "it has fallen back behind what it had replayed", false)
	case b.lag > s.staleness:
		return s.leaveOut(b, "its replay is more than "+s.staleness.String()+" behind", false)
	}
	first := b.told == 0
	b.told = l.sight.Replayed
	s.tell()
	if first { // and only now: what is applied later is remembered as long as the standby lacks it
		b.floor = s.feed.Status().Applied
	}
	b.floor = max(b.floor, b.told)
	if s.held || l.sight.Replayed < max(b.floor, s.floor) {
		return waitsForChange
	}
	return ""
}

// leaveOut is for those who hold mu. If the standby may have been of another history since the last good look, what was
// read from it has to go.
func (s *standbys) leaveOut(b *standby, reason string, unsure bool) string {
	b.stop(reason)
	if b.told != 0 {
		b.told = 0
		s.tell()
	}
	if unsure && b.lends != b.confirmed {
		s.cache.Flush()
		b.confirmed = b.lends
	}
	return reason
}

// conclude lets the standby fill, unless there is a reason not to, and logs what is new.
func (s *standbys) conclude(b *standby, l *look, reason string) {
	s.mu.Lock()
	if reason == "" && s.holds != l.holds {
		reason = waitsForChange
	}
	if reason == "" {
		b.start()
	} else {
		b.stop(reason)
	}
	s.mu.Unlock()
	if reason == b.logged || reason == waitsForChange {
		return
	}
	b.logged = reason
	if reason == "" {
		s.log.Info("the standby fills the cache", "standby", b.name)
	} else {
		s.log.Warn("the standby does not fill the cache", "standby", b.name, "reason", reason)
	}
}

// backlog are positions that were applied at some time and that the standby has not replayed yet, the oldest first.
type backlog []struct {
	at      time.Duration
	applied uint64
}

// longest is how many positions are kept. If there are more, the oldest is old enough.
const longest = 256

// lag is for how long the standby has not replayed what was applied.
func (b *backlog) lag(now time.Duration, applied, replayed uint64) time.Duration {
	if n := len(*b); n < longest && (n == 0 || (*b)[n-1].applied < applied) {
		*b = append(*b, struct {
			at      time.Duration
			applied uint64
		}{now, applied})
	}
	done := 0
	for done < len(*b) && (*b)[done].applied <= replayed {
		done++
	}
	*b = append((*b)[:0], (*b)[done:]...)
	if len(*b) == 0 {
		return 0
	}
	return now - (*b)[0].at
}
