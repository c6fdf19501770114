package cache

import (
	"context"
	"errors"
	"time"
)

// Tier is where caches of several processes share what they have filled, such as a Redis. It need not be reliable: what it
// has lost is filled again, and an entry of it is taken over only if the changes that came here since show it to be true.
// But it must not make entries up: have it authenticate them.
type Tier interface {
	// Load returns what was stored under a key, nil if there is nothing, or an error: ErrGarbled where there is something
	// that no other cache can have stored. A caller waits for it.
	Load(ctx context.Context, k Key) ([]byte, error)
	// Store keeps an entry for a time, when it gets round to it: it does not wait. Until encode is called the entry takes
	// size bytes; if it returns nil, nothing is to be stored.
	Store(k Key, size int, keep time.Duration, encode func() []byte)
}

// ErrGarbled is what Tier.Load says of an entry that cannot be authentic.
var ErrGarbled = errors.New("the entry is garbled")

const (
	sharedFor     = time.Hour // the longest that a Tier keeps an entry
	maxSharedSize = 1 << 20   // of an entry, in bytes
)

// Refusal says why nothing was taken over from the Tier.
type Refusal uint8

// The reasons of a refusal.
const (
	taken            Refusal = iota
	RefuseAbsent             // the tier has nothing
	RefuseAway               // the tier does not answer
	RefuseGarbled            // nobody can have stored that, or it is of another format
	RefuseEarly              // filled before the time from which the changes since are known
	RefuseChanged            // a change since could make it wrong
	RefuseUnfollowed         // the changes of a table do not come here
	RefuseUnfit              // it is too large, its time is over, or it could not be served now
	refusals
)

func (r Refusal) String() string {
	return [...]string{"", "absent", "away", "garbled", "early", "changed", "unfollowed", "unfit"}[r]
}

// Load asks the Tier for an entry that another cache has shared under k, which must stand for everything that the entry
// depends on but the data, also for what is the same in all of this process. If it is certain to be true, Load ends the
// fill with it. Else it returns nil, and the fill goes on. decode makes the value.
func (f *Fill) Load(ctx context.Context, k Key, decode func([]byte) (Value, error)) *Entry {
	tier := f.cache.tier
	if tier == nil {
		return nil
	}
	e, r := f.load(ctx, k, decode)
	f.cache.counts.refused[r].Add(1)
	return e
}

func (f *Fill) load(ctx context.Context, k Key, decode func([]byte) (Value, error)) (*Entry, Refusal) {
	sealed, err := f.cache.tier.Load(ctx, k)
	switch {
	case errors.Is(err, ErrGarbled):
		return nil, RefuseGarbled
	case err != nil:
		return nil, RefuseAway
	case sealed == nil:
		return nil, RefuseAbsent
	}
	s, err := decodeShared(sealed)
	if err != nil {
		return nil, RefuseGarbled
	}
	v, err := decode(s.Value)
	if err != nil {
		return nil, RefuseGarbled
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil, RefuseUnfit
	}
	return f.adopt(s, v)
}

// adopt stores an entry of another cache as one of its own, if it may be served now.
func (f *Fill) adopt(s *shared, v Value) (*Entry, Refusal) {
	c := f.cache
	e := &Entry{
		cache: c, key: f.key, value: v, epoch: f.epoch, stream: f.stream, shared: true, watched: true,
		cost: s.Cost, staleness: s.Staleness, dependencies: make([]dependency, len(s.Dependencies)),
	}
	oldest := s.Dependencies[0].Horizon
	given := c.moment.Load()
	for i := range s.Dependencies {
		d := &s.Dependencies[i]
		if c.follows != nil && !c.follows(d.Table) {
			return nil, RefuseUnfollowed
		}
		e.dependencies[i] = dependency{entry: e, table: c.table(d.Table), watch: d.watch(), stamp: d.Horizon, given: given, carries: true}
		oldest = Horizon{min(oldest.Xid, d.Horizon.Xid), min(oldest.LSN, d.Horizon.LSN)}
	}
	var ok bool
	if e.filled, ok = c.dated(oldest); !ok {
		return nil, RefuseEarly
	}
	if s.TTL > 0 {
		e.expires = e.filled + s.TTL
	}
	if c.refuses(e) != served {
		return nil, RefuseUnfit
	}
	switch f.store(e) {
	case stored:
	case RejectChanged, RejectOverflow:
		return nil, RefuseChanged
	default:
		return nil, RefuseUnfit
	}
	if c.refuses(e) != served {
		c.drop(e)
		return nil, RefuseUnfit
	}
	f.finish(e)
	return e, taken
}

// spared reports whether no change that came here makes the entry wrong, which another cache has filled. All of its tables
// are locked.
func (e *Entry) spared() bool {
	all := e.cache.traces.Load()
	for i := range e.dependencies {
		d := &e.dependencies[i]
		if !d.table.spares(&d.watch, d.stamp.(Horizon), all) {
			return false
		}
	}
	return true
}

// Share offers the entry to the caches that have the same Tier, under a key that stands for everything that the answer
// depends on but the data. What depends on nothing, or was filled without Bounded stamps, is not shared, nor is what comes
// from there. encode makes of the value what they decode; it is called a little later, and not if the entry is not to be
// served any more then.
func (e *Entry) Share(k Key, encode func(Value) []byte) {
	tier := e.cache.tier
	if tier == nil || !e.stored || e.shared || e.Bytes() > maxSharedSize {
		return
	}
	s := e.share()
	if s == nil {
		return
	}
	keep := sharedFor
	if left, limited := e.Remaining(); limited {
		keep = min(keep, left)
	}
	tier.Store(k, int(e.Bytes()), keep, func() []byte {
		if e.dead.Load() || e.epoch != e.cache.epoch.Load() {
			return nil
		}
		if s.Value = encode(e.value); s.Value == nil || len(s.Value) > maxSharedSize {
			return nil
		}
		return s.encode()
	})
}

// Shared reports whether another cache has filled the entry.
func (e *Entry) Shared() bool { return e.shared }
