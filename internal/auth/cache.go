package auth

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
)

const (
	cacheShards   = 16
	shardFrom     = 1024 // entries; a smaller cache is exact, with one shard
	entryOverhead = 512  // bytes of an entry besides its strings, roughly
)

type digest [sha256.Size]byte

// tokenCache remembers the callers of verified tokens by the token's SHA-256:
// a memory dump holds no token. It is bounded in entries and in bytes, each
// shard on its own, and evicts by SIEVE (Zhang et al., NSDI 2024), whose hits
// change nothing but a flag and so run in parallel. A nil cache is always empty.
type tokenCache struct {
	shards  []cacheShard
	evicted func() // called for every token that made room
}

type cacheShard struct {
	mu         sync.RWMutex
	entries    map[digest]*cacheEntry
	newest     *cacheEntry
	oldest     *cacheEntry
	hand       *cacheEntry // where the last eviction stopped
	bytes      int
	maxEntries int
	maxBytes   int
}

type cacheEntry struct {
	digest   digest
	caller   *Caller
	validity validity
	used     atomic.Bool
	newer    *cacheEntry
	older    *cacheEntry
}

func newTokenCache(maxEntries, maxBytes int, evicted func()) *tokenCache {
	if maxEntries <= 0 {
		return nil
	}
	n := 1
	if maxEntries >= shardFrom {
		n = cacheShards
	}
	c := &tokenCache{shards: make([]cacheShard, n), evicted: evicted}
	for i := range c.shards {
		c.shards[i] = cacheShard{
			entries:    make(map[digest]*cacheEntry),
			maxEntries: maxEntries / n,
			maxBytes:   maxBytes / n,
		}
	}
	return c
}

func (c *tokenCache) shard(d *digest) *cacheShard {
	return &c.shards[int(d[0])%len(c.shards)]
}

// get returns the entry of a verified token, whose validity is still to be
// checked against the clock, or nil.
func (c *tokenCache) get(d *digest) *cacheEntry {
	if c == nil {
		return nil
	}
	s := c.shard(d)
	s.mu.RLock()
	e := s.entries[*d]
	s.mu.RUnlock()
	if e != nil && !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// put adds a verified token. One that is too large for its shard is left out.
func (c *tokenCache) put(d *digest, caller *Caller, v validity) {
	if c == nil {
		return
	}
	s := c.shard(d)
	e := &cacheEntry{digest: *d, caller: caller, validity: v}
	if e.size() > s.maxBytes {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries[*d]; ok {
		return
	}
	for len(s.entries) >= s.maxEntries || s.bytes+e.size() > s.maxBytes {
		s.evict()
		c.evicted()
	}
	s.push(e)
}

// remove drops an expired token.
func (c *tokenCache) remove(e *cacheEntry) {
	s := c.shard(&e.digest)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[e.digest] == e {
		s.unlink(e)
	}
}

func (c *tokenCache) usage() (entries, bytes int) {
	if c == nil {
		return 0, 0
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		entries += len(s.entries)
		bytes += s.bytes
		s.mu.RUnlock()
	}
	return entries, bytes
}

func (e *cacheEntry) size() int {
	return entryOverhead + len(e.caller.Claims) + len(e.caller.Role) + len(e.caller.Subject)
}

func (s *cacheShard) push(e *cacheEntry) {
	e.older = s.newest
	if s.newest != nil {
		s.newest.newer = e
	}
	s.newest = e
	if s.oldest == nil {
		s.oldest = e
	}
	s.entries[e.digest] = e
	s.bytes += e.size()
}

func (s *cacheShard) unlink(e *cacheEntry) {
	if s.hand == e {
		s.hand = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		s.newest = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		s.oldest = e.newer
	}
	delete(s.entries, e.digest)
	s.bytes -= e.size()
}

// evict removes the first entry from the hand towards the newest that was not
// used since the hand passed it last.
func (s *cacheShard) evict() {
	e := s.hand
	if e == nil {
		e = s.oldest
	}
	for e.used.Swap(false) {
		if e = e.newer; e == nil {
			e = s.oldest
		}
	}
	s.hand = e
	s.unlink(e)
}
