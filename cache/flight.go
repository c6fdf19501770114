package cache

import (
	"context"
	"math"
	"sync"
)

const flightShards = 64

// flights are the fills under way whose entries may still be stored, at most one of a key.
type flights struct {
	shards [flightShards]flightShard
}

type flightShard struct {
	mu    sync.Mutex
	fills map[Key]*Fill
	_     [48]byte // a cache line each
}

func (f *flights) init() {
	for i := range f.shards {
		f.shards[i].fills = map[Key]*Fill{}
	}
}

func (f *flights) shard(k Key) *flightShard { return &f.shards[k[0]%flightShards] }

// Fill joins the fill of a key, or begins it. Who is first fills: it must call End or Abandon, whatever happens, and what
// it reads of the source it must read after this call. The others Wait.
func (c *Cache) Fill(k Key) (f *Fill, first bool) {
	s := c.flights.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	epoch := c.epoch.Load()
	if f = s.fills[k]; f != nil && f.epoch == epoch {
		return f, false
	}
	if f != nil {
		f.voided.Store(true)
	}
	f = &Fill{cache: c, key: k, epoch: epoch, stream: c.stream.Load(), began: c.moment.Load(), started: c.clock(), done: make(chan struct{})}
	// Perhaps another fill has ended since the caller missed. An entry with a limit may have been refused so that it is
	// filled anew.
	if e, found := c.entries.GetEntryQuietly(k); found && !e.Value.early.Load() && c.usable(e.Value) {
		f.ended, f.result = true, e.Value
		close(f.done)
		return f, false
	}
	s.fills[k] = f
	return f, true
}

// Wait returns what the fill has stored if it may be served now, or nil, or the context's error.
//
// After nil the caller may go by itself, as what could not be stored or failed will most likely do so again: then electing
// a new filler each time would line the waiters up one behind the other. Or it may call Cache.Fill again, after which one
// of those who do so fills and the others wait.
func (f *Fill) Wait(ctx context.Context) (*Entry, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if f.result == nil || !f.cache.usable(f.result) {
		return nil, nil
	}
	f.cache.counts.joined.Add(1)
	return f.result, nil
}

func (f *flights) remove(done *Fill) {
	s := f.shard(done.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fills[done.key] == done {
		delete(s.fills, done.key)
	}
}

// oldest returns the moment at which the oldest fill under way began. Fills that begin during the call do not count.
func (f *flights) oldest() uint64 {
	oldest := uint64(math.MaxUint64)
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for _, fill := range s.fills {
			oldest = min(oldest, fill.began)
		}
		s.mu.Unlock()
	}
	return oldest
}

// void has what comes of fills that began before a moment not be stored, and has nobody else join them.
func (f *flights) void(before uint64) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for k, fill := range s.fills {
			if fill.began < before {
				fill.voided.Store(true)
				delete(s.fills, k)
			}
		}
		s.mu.Unlock()
	}
}

// voidKey does so with the fill of a key.
func (f *flights) voidKey(k Key) {
	s := f.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if fill := s.fills[k]; fill != nil {
		fill.voided.Store(true)
		delete(s.fills, k)
	}
}
