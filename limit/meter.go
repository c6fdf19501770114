package limit

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Key says whose units are counted: a digest of whatever names them. Keys whose digests are equal share their units.
type Key [16]byte

// DefaultKeys is how many keys a Meter knows at once, in some 3 MiB.
const DefaultKeys = 1 << 17

// Meter counts the units that each of many keys has used of one Rate, in memory that is taken once.
//
// What a key owes is the time until all its units are back. A key that owes nothing needs no memory, so places are free
// again by themselves. Keys are spread over small sets by a secret hash. In a set that is full, the key that owes least makes
// room: of all there it is the one that loses least by being forgotten. Who makes up a million keys therefore displaces keys
// that owe as little as his own do, and not the one that has used up its quota.
type Meter struct {
	name               string
	rate               Rate
	interval, capacity int64
	order              uint64 // of locking, among all meters
	seed               maphash.Seed
	sets               []set
	forgotten          atomic.Uint64
}

// ways is the number of places in a set: one or two lines of the processor's cache are searched.
const ways = 8

type set struct {
	mu     sync.Mutex
	places [ways]place
}

// place has what a key owes as the time when it will owe nothing, in microseconds since the Quotas' start. That time is the
// theoretical arrival time of GCRA.
type place struct {
	key  Key
	free int64
}

// Rate is what the meter was made with.
func (m *Meter) Rate() Rate { return m.rate }

// Forgotten counts keys that made room while they owed something.
func (m *Meter) Forgotten() uint64 { return m.forgotten.Load() }

func newMeter(name string, r Rate, keys int, order uint64) *Meter {
	sets := 1
	for sets*ways < keys {
		sets *= 2
	}
	return &Meter{
		name: name, rate: r, interval: r.interval(), capacity: r.capacity(),
		order: order, seed: maphash.MakeSeed(), sets: make([]set, sets),
	}
}

// index is where the key has its set.
func (m *Meter) index(k *Key) uint64 { return maphash.Bytes(m.seed, k[:]) & uint64(len(m.sets)-1) }

// owes is what a key owes now. Whoever calls it holds mu.
func (s *set) owes(k *Key, now int64) int64 {
	for i := range s.places {
		if p := &s.places[i]; p.free > now && p.key == *k {
			return p.free - now
		}
	}
	return 0
}

// put notes when a key will owe nothing, and reports whether another was forgotten for it. Whoever calls it holds mu.
func (s *set) put(k *Key, now, free int64) (forgotten bool) {
	least := &s.places[0]
	for i := range s.places {
		p := &s.places[i]
		if p.key == *k && p.free > now {
			p.free = free
			return false
		}
		if p.free < least.free {
			least = p
		}
	}
	forgotten = least.free > now
	*least = place{*k, free}
	return forgotten
}
