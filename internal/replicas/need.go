package replicas

import (
	"context"
	"sync/atomic"
	"time"
)

// Need is what a reader must see, whoever answers. The zero value asks for nothing.
type Need struct {
	// LSN is a position in the primary's log.
	LSN uint64
	// After is a reading of the clock: all that was committed before it.
	After time.Duration
	// MaxLag is how far a replica may be behind for this reader, where that is less than for all; negative is not at all.
	MaxLag time.Duration
}

// And is what both need.
func (n Need) And(other Need) Need {
	n.LSN, n.After = max(n.LSN, other.LSN), max(n.After, other.After)
	if other.MaxLag != 0 && (n.MaxLag == 0 || other.MaxLag < n.MaxLag) {
		n.MaxLag = other.MaxLag
	}
	return n
}

// meets reports whether a replica is readable and has what is needed.
func (s *Set) meets(i int, need *Need) bool {
	v := s.all[i].view.Load()
	if !s.fit(v, need) {
		return false
	}
	return v.replayed >= need.LSN && v.asOf >= need.After
}

// fit is meets without what can be waited for. What was seen of a replica before the primary became another one says nothing.
func (s *Set) fit(v *view, need *Need) bool {
	most := s.options.MaxLag
	if need.MaxLag != 0 {
		most = min(most, need.MaxLag)
	}
	return v.state == Readable && s.primary.is(v.of) && s.lag(v) <= most
}

func (s *Set) anyMeets(need *Need) bool {
	for i := range s.all {
		if s.meets(i, need) {
			return true
		}
	}
	return false
}

const (
	// patience is how long a reader waits for a replica to have what it needs, before the primary is asked.
	patience = 50 * time.Millisecond
	// stopWaiting is for how long nobody waits after one has waited in vain.
	stopWaiting = time.Second
)

// await waits for a replica that has what is needed, and reports whether there is one.
func (s *Set) await(ctx context.Context, need *Need) bool {
	if s.anyMeets(need) {
		return true
	}
	could := false
	for _, r := range s.all {
		could = could || s.fit(r.view.Load(), need)
	}
	now := int64(s.options.Clock())
	if !could || now < s.patient.Load() {
		return false
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	for _, r := range s.all {
		select {
		case r.hurry <- struct{}{}:
		default:
		}
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		changed := s.news.next()
		if s.anyMeets(need) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		case <-limit.C:
			s.patient.Store(now + int64(stopWaiting))
			return false
		}
	}
}

// news wakes all who wait for something to change.
type news struct{ channel atomic.Pointer[chan struct{}] }

func (n *news) init() {
	c := make(chan struct{})
	n.channel.Store(&c)
}

// next is closed by the next tell.
func (n *news) next() <-chan struct{} { return *n.channel.Load() }

func (n *news) tell() {
	c := make(chan struct{})
	close(*n.channel.Swap(&c))
}
