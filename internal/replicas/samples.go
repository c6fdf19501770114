package replicas

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
)

// samples are positions of the primary and the times at which it had them at least.
type samples struct {
	mu       sync.Mutex
	last     pg.Position
	database string
	good     time.Duration // before the last look that succeeded
	blind    bool          // the last look has failed
	all      []sample      // ascending
}

// history is what positions are comparable within.
type history struct {
	system   uint64
	timeline uint32
}

func historyOf(p pg.Position) history { return history{p.System, p.Timeline} }

type sample struct {
	at  time.Duration
	lsn uint64
}

// mostSamples is how many are kept. If there are more, every other one of the older half goes: those of long ago are
// further apart, and a replica is taken to be a little further behind than it is.
const mostSamples = 256

// add takes a position that was asked for at a time. It reports whether it is the first one of another system.
func (s *samples) add(at time.Duration, p pg.Position, database string) (other bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	other = s.last.System != 0 && s.last.System != p.System
	if s.last.System != p.System || s.last.Timeline != p.Timeline {
		s.all = s.all[:0] // the same position is another one now
	}
	s.last, s.database, s.good, s.blind = p, database, at, false
	if n := len(s.all); n > 0 && s.all[n-1].lsn >= p.LSN {
		s.all[n-1].at = at // nothing was written
		return other
	}
	s.all = append(s.all, sample{at, p.LSN})
	if len(s.all) > mostSamples {
		n := 0
		for i := 0; i < mostSamples/2; i += 2 {
			s.all[n] = s.all[i]
			n++
		}
		s.all = slices.Delete(s.all, n, mostSamples/2)
	}
	return other
}

// lost says that the primary cannot be asked.
func (s *samples) lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blind = true
}

// is reports whether a history is the primary's present one.
func (s *samples) is(of history) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return of == historyOf(s.last) && of != history{}
}

// asOf is the latest time at which the primary was at a position that has been replayed; false if there is none, or if the
// position is of another history.
func (s *samples) asOf(of history, replayed uint64) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of != historyOf(s.last) {
		return 0, false
	}
	n, _ := slices.BinarySearchFunc(s.all, replayed, func(x sample, lsn uint64) int {
		if x.lsn <= lsn {
			return -1
		}
		return 1
	})
	if n == 0 {
		return 0, false
	}
	return s.all[n-1].at, true
}

// reference is the time that being behind is counted to. Of the time in which the primary cannot be asked, nothing can be
// said; most likely nobody can write either. Then replicas are better than nothing, and as far behind as they were.
func (s *samples) reference(now time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blind {
		return s.good
	}
	return now
}

// present is the last position; the zero value before the first.
func (s *samples) present() (pg.Position, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.database
}

// sample looks at the primary until ctx ends.
func (s *Set) sample(ctx context.Context) {
	lookout := s.options.Primary.Lookout()
	defer lookout.Close()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		looking, cancel := context.WithTimeout(ctx, lookTime)
		at := s.options.Clock()
		position, err := lookout.Look(looking)
		cancel()
		switch {
		case err != nil || position == pg.Position{}:
			s.primary.lost()
		case s.primary.add(at, position, lookout.Database()):
			s.writers.forget(Need{After: s.options.Clock()})
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
