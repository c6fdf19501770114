package cache

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Value is what a cache keeps: anything that knows its size in bytes. Where that changes, tell it to Entry.Resize.
type Value interface {
	Size() int
}

// What entries take besides their values, in bytes: the structures here, the store's node and its place in the hash tables,
// with the room that Go's maps and allocator leave free. TestMemory holds them to the truth.
const (
	entryBytes      = 240
	dependencyBytes = 176
	valueBytes      = 104 // of Watch.Values: the hash, its ref, and the list's head in a map that is a third full
	stampBytes      = 64
)

// Entry is an answer with what it depends on. It is safe for concurrent use.
type Entry struct {
	cache        *Cache
	key          Key
	value        Value
	dependencies []dependency
	epoch        uint64
	filled       time.Duration // the clock's reading before the fill
	cost         time.Duration // of the fill
	expires      time.Duration // 0: never
	staleness    time.Duration
	revalidate   time.Duration // after expires: see Fill.Grace
	ifError      time.Duration
	stream       uint64
	watched      bool // some dependencies are watches
	tagged       bool // some are tags

	weight atomic.Uint32
	hits   atomic.Uint32
	dead   atomic.Bool // never to be served again
	early  atomic.Bool // somebody was chosen to fill it anew before its limit
	linked atomic.Bool // some table's index may know it
	stored bool
	shared bool // another cache has filled it

	resizing bool // guarded by the store's lock of the key
}

// Value returns what was given to Fill.End.
func (e *Entry) Value() Value { return e.value }

// Key returns the key that the entry was filled for.
func (e *Entry) Key() Key { return e.key }

// Stored reports whether Fill.End stored the entry. It says nothing of now.
func (e *Entry) Stored() bool { return e.stored }

// Followed reports whether the entry is served only while it is certain that nothing has made it wrong.
func (e *Entry) Followed() bool { return e.watched && !e.tagged }

// Age returns how long ago the filling of the entry began: the answer is no older.
func (e *Entry) Age() time.Duration { return e.cache.clock() - e.filled }

// Confirmed returns how long ago it was certain that the entry is what its source would answer: since the heartbeat that
// came back last was sent, or since the filling began if that is later or nothing is heard of what it depends on.
func (e *Entry) Confirmed() time.Duration { return e.confirmed(e.cache.clock()) }

func (e *Entry) confirmed(now time.Duration) time.Duration {
	since := e.filled
	if sent := e.cache.lease.Load(); sent != never && e.followed() {
		since = max(since, time.Duration(sent))
	}
	return max(now-since, 0) // a heartbeat may have come back since the clock was read
}

// Resize tells the cache that the entry's value takes so many bytes now. An entry that is too large then leaves the cache.
func (e *Entry) Resize(bytes int) {
	if e.weigh(bytes) > e.cache.maxEntry {
		e.cache.drop(e)
		return
	}
	e.cache.entries.ComputeIfPresent(e.key, func(current *Entry) (*Entry, otter.ComputeOp) {
		if current != e {
			return nil, otter.CancelOp
		}
		e.resizing = true
		return e, otter.WriteOp
	})
}

// weigh sets and returns the entry's weight when its value takes so many bytes.
func (e *Entry) weigh(bytes int) uint64 {
	weight := uint64(entryBytes) + uint64(max(bytes, 0))
	for i := range e.dependencies {
		d := &e.dependencies[i]
		weight += dependencyBytes + uint64(valueBytes*max(1, len(d.watch.Values))+4*len(d.watch.Columns))
		for _, t := range d.watch.Terms {
			weight += 16 + uint64(max(t.Size(), 0))
		}
		if d.carries && d.stamp != nil {
			weight += stampSize(d.stamp)
		}
	}
	e.weight.Store(uint32(min(weight, math.MaxUint32)))
	return weight
}

func stampSize(s Stamp) uint64 {
	if sized, ok := s.(interface{ Size() int }); ok {
		return uint64(max(sized.Size(), 0))
	}
	return stampBytes
}

// unlink removes the entry from the indexes of its tables.
func (e *Entry) unlink() {
	if !e.linked.Swap(false) {
		return
	}
	for i := range e.dependencies {
		d := &e.dependencies[i]
		d.table.mu.Lock()
		d.table.unlink(d)
		d.table.mu.Unlock()
	}
}
