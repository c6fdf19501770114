package chaos

import (
	"math/rand/v2"
	"sync"
)

// setting is a fault of a proxy, in force or not.
type setting struct {
	Fault
	id   uint64
	stop chan struct{}
}

// live is a setting while it is in force: in each of its windows another one.
type live struct {
	Fault
	setting *setting
	kind    string
	seed    uint64
	acts    Direction // the flows that it acts on, or the side that it closes
	counts  Direction // the flows whose bytes it counts
}

func (s *setting) live(seed uint64, window uint64) *live {
	l := &live{Fault: s.Fault, setting: s, kind: s.kinds()[0], seed: mix(seed, s.id, window), acts: s.Direction, counts: s.Direction}
	if l.Name == "" {
		l.Name = l.kind
	}
	if l.counts == Default {
		l.counts = ToClient
	}
	if l.acts == Default {
		switch l.kind {
		case "latency":
			l.acts = ToClient
		case "half-open":
			l.acts = ToUpstream
		default:
			l.acts = Both
		}
	}
	return l
}

// mix makes one number of several, for seeds that have nothing to do with each other (SplitMix64, Steele et al. 2014).
func mix(numbers ...uint64) uint64 {
	var h uint64
	for _, n := range numbers {
		h = (h ^ n) + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// draw tells whether what has a probability happens, the n-th time on a connection.
func (l *live) draw(connection, n uint64) bool {
	const mantissa = 53
	return l.Probability == 0 || float64(mix(l.seed, connection, n)>>(64-mantissa))/(1<<mantissa) < float64(l.Probability)
}

// perMessage tells that the probability is of messages, not of connections.
func (l *live) perMessage() bool {
	p := l.point()
	return l.HTTP != nil || p != nil && p.message() != ""
}

// meeting is what a connection and a fault have to do with each other.
type meeting struct {
	*live
	conn *conn

	mu        sync.Mutex
	announced bool
	triggered bool                 // a Blackhole's point was reached
	finished  [Both + 1]bool       // by flow: the point was reached
	messages  [Both + 1]uint64     // by flow: those that fit the point
	randoms   [Both + 1]*rand.Rand // by flow
}

// random is a flow's source of random numbers, for who writes to its pipe.
func (m *meeting) random(flow Direction) *rand.Rand {
	if m.randoms[flow] == nil {
		m.randoms[flow] = rand.New(rand.NewPCG(m.seed, mix(m.conn.number, uint64(flow)))) //nolint:gosec // repeatable is what it is to be
	}
	return m.randoms[flow]
}

// over notes that a flow has reached the fault's point; false if it had before.
func (m *meeting) over(flow Direction) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := !m.finished[flow]
	m.finished[flow] = true
	return first
}

func (m *meeting) isOver(flow Direction) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.finished[flow]
}

// chosen counts a message that fits, and tells whether the fault happens to it.
func (m *meeting) chosen(flow Direction, nth uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages[flow]++
	n := m.messages[flow]
	return (nth == 0 || nth == n) && m.draw(m.conn.number, n)
}

// hit counts that the fault has had an effect. What goes on all the time is told once for each connection.
func (m *meeting) hit(detail string) {
	m.mu.Lock()
	first := !m.announced
	m.announced = true
	m.mu.Unlock()
	m.conn.proxy.count(m.Name)
	if first || m.perMessage() {
		m.conn.proxy.tell(Event{Action: Injected, Fault: m.Name, Connection: m.conn.number, Client: m.conn.from, Detail: detail})
	}
}

// trigger has a Blackhole begin on its connection.
func (m *meeting) trigger() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.triggered = true
}

// holds tells whether bytes of a flow are kept back.
func (m *meeting) holds(flow Direction) bool {
	if m.Blackhole == nil || !m.acts.has(flow) {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.triggered || m.Blackhole.atOnce()
}
