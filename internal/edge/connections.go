package edge

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ConnectionLimits bound the connections of a server. Zero fields are the defaults.
type ConnectionLimits struct {
	// Total is the most that are open at a time. Default DefaultConnections(0).
	Total int
	// PerAddress is the most from one address of IPv4, or one /64 of IPv6. Default half of Total, and not less than 1000 where
	// Total is not: a balancer in front may be the only address there is.
	PerAddress int
	// Exempt addresses, such as those of trusted proxies, count for Total only. nil exempts nobody.
	Exempt func(netip.Addr) bool
}

func (l ConnectionLimits) withDefaults() ConnectionLimits {
	const fewest = 1000
	if l.Total <= 0 {
		l.Total = DefaultConnections(0)
	}
	if l.PerAddress <= 0 {
		l.PerAddress = max(l.Total/2, min(l.Total, fewest))
	}
	return l
}

// mostConnections is the highest default, for servers whose descriptors have no bound worth the name.
const mostConnections = 100_000

// DefaultConnections is four fifths of the file descriptors that this process may have, less those reserved for other ends,
// and 100,000 at most.
func DefaultConnections(reserved int) int {
	const fewest = 16
	return min(max(descriptors()/5*4-reserved, fewest), mostConnections)
}

// patience is how long a connection must have waited for its next request to be closed in favour of another: who has just
// got an answer may be about to ask again.
const patience = time.Second

// connections are those that a server has accepted. Who serves a request does not touch the lock.
type connections struct {
	limits ConnectionLimits
	stall  time.Duration
	start  time.Time

	mu      sync.Mutex
	all     []*conn // in no order
	sources map[netip.Prefix]int
	again   time.Time // when it makes sense to look for waiting ones again

	refusedTotal, refusedAddress atomic.Int64
	evicted, stalled, reset      atomic.Int64
	slow                         atomic.Int64 // bodies
}

func newConnections(l ConnectionLimits, stall time.Duration) *connections {
	return &connections{limits: l.withDefaults(), stall: stall, start: time.Now(), sources: map[netip.Prefix]int{}}
}

// refusal is why a connection is not taken.
type refusal int

const (
	admitted refusal = iota
	full
	fullForAddress
)

// admit makes raw one of the connections, or says why not. When they are full, those that have waited longest for their next
// request, or for the rest of its head, make room.
func (s *connections) admit(raw net.Conn) (*conn, refusal) {
	source := s.sourceOf(raw)
	s.mu.Lock()
	if s.limits.PerAddress < s.limits.Total && s.sources[source] >= s.limits.PerAddress {
		s.mu.Unlock()
		s.refusedAddress.Add(1)
		return nil, fullForAddress
	}
	var evicted []*conn
	if len(s.all) >= s.limits.Total {
		if evicted = s.takeWaiting(s.limits.Total/100 + 1); len(evicted) == 0 {
			s.mu.Unlock()
			s.refusedTotal.Add(1)
			return nil, full
		}
	}
	c := &conn{Conn: raw, set: s, source: source, at: len(s.all)}
	c.since.Store(s.now())
	s.all = append(s.all, c)
	if source.IsValid() {
		s.sources[source]++
	}
	s.mu.Unlock()
	closeAll(evicted)
	return c, admitted
}

// now is a reading of the monotonic clock, in nanoseconds.
func (s *connections) now() int64 { return int64(time.Since(s.start)) }

// sourceOf is what PerAddress counts by, or the zero Prefix for what it does not count.
func (s *connections) sourceOf(raw net.Conn) netip.Prefix {
	tcp, ok := raw.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	if s.limits.Exempt != nil && s.limits.Exempt(addr) {
		return netip.Prefix{}
	}
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // the bits fit
	return p
}

// takeWaiting takes up to most connections out that have waited longest, to be closed by the caller after it has given up the
// lock. When there is none it does not look again for a while: a search is long where connections are many.
func (s *connections) takeWaiting(most int) []*conn {
	const pause = 100 * time.Millisecond
	now := time.Now()
	if now.Before(s.again) {
		return nil
	}
	waiting := s.waiting(s.now() - int64(patience))
	if len(waiting) == 0 {
		s.again = now.Add(pause)
		return nil
	}
	taken := make([]*conn, 0, min(most, len(waiting)))
	for _, w := range waiting[:cap(taken)] {
		if w.c.since.Load() == w.since { // else a request has come meanwhile
			s.drop(w.c)
			taken = append(taken, w.c)
		}
	}
	s.evicted.Add(int64(len(taken)))
	return taken
}

type waiter struct {
	c     *conn
	since int64
}

// waiting are the connections that have waited since latest or longer, the longest first.
func (s *connections) waiting(latest int64) []waiter {
	var found []waiter
	for _, c := range s.all {
		if since := c.since.Load(); since != 0 && since <= latest {
			found = append(found, waiter{c, since})
		}
	}
	slices.SortFunc(found, func(a, b waiter) int { return cmp.Compare(a.since, b.since) })
	return found
}

// closeWaiting closes up to most of the connections that have waited longest, and returns how many.
func (s *connections) closeWaiting(most int) int {
	s.mu.Lock()
	waiting := s.takeWaiting(most)
	s.mu.Unlock()
	closeAll(waiting)
	return len(waiting)
}

func closeAll(all []*conn) {
	for _, c := range all {
		_ = c.Conn.Close() // what reads from it finds out
	}
}

// drop forgets a connection, once.
func (s *connections) drop(c *conn) {
	if c.at < 0 {
		return
	}
	last := s.all[len(s.all)-1]
	s.all[c.at], last.at = last, c.at
	s.all[len(s.all)-1] = nil
	s.all = s.all[:len(s.all)-1]
	c.at = -1
	if !c.source.IsValid() {
		return
	}
	if s.sources[c.source]--; s.sources[c.source] == 0 {
		delete(s.sources, c.source)
	}
}

func (s *connections) leave(c *conn) {
	s.mu.Lock()
	s.drop(c)
	s.mu.Unlock()
}

// ConnectionStats are counters since the start, save Open.
type ConnectionStats struct {
	Open int // now
	// RefusedTotal and RefusedAddress were over one of the ConnectionLimits.
	RefusedTotal, RefusedAddress int64
	// Evicted have made room while they waited for a request, Stalled did not take their answer, Reset took back too many
	// requests of HTTP/2.
	Evicted, Stalled, Reset int64
	// SlowBodies are bodies that came too slowly.
	SlowBodies int64
}

func (s *connections) stats() ConnectionStats {
	s.mu.Lock()
	open := len(s.all)
	s.mu.Unlock()
	return ConnectionStats{
		Open: open, RefusedTotal: s.refusedTotal.Load(), RefusedAddress: s.refusedAddress.Load(), Evicted: s.evicted.Load(),
		Stalled: s.stalled.Load(), Reset: s.reset.Load(), SlowBodies: s.slow.Load(),
	}
}
