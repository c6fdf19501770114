package balance

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Options configure a Balancer; a zero field takes its default.
type Options struct {
	// Clock gives the time since some moment that stays the same. Default: the time since New.
	Clock func() time.Duration
	// Decay is the time in which a peak loses its weight, but for 1/e of it; default 10 s.
	Decay time.Duration
	// Unknown is what is expected of a host that has not answered yet while its first request is under way; default 1 s. Before
	// that it is tried: a host that is expected to be slow would never be found out to be quick.
	Unknown time.Duration
	// Failures in a row eject a host; default 5. Ejected is for how long, the first time; each further ejection, with no
	// success in between, lasts that much longer, up to LongestEjection. Defaults: 1 s and 30 s.
	Failures                 int
	Ejected, LongestEjection time.Duration
	// Random gives numbers from 0 up to 1, without 1. Default: a generator of the runtime's.
	Random func() float64
}

func (o *Options) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Decay, 10*time.Second)
	def(&o.Unknown, time.Second)
	def(&o.Ejected, time.Second)
	def(&o.LongestEjection, 30*time.Second)
	if o.Failures <= 0 {
		o.Failures = 5
	}
	if o.Clock == nil {
		began := time.Now()
		o.Clock = func() time.Duration { return time.Since(began) }
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
}

// Balancer knows some hosts, by their numbers from 0. It may be used by many at a time.
type Balancer struct {
	options Options
	mu      sync.Mutex
	hosts   []host
}

// New makes a balancer of so many hosts.
func New(hosts int, o Options) *Balancer {
	o.defaults()
	return &Balancer{options: o, hosts: make([]host, hosts)}
}

// scanned is up to how many hosts all are compared.
const scanned = 3

// Pick chooses a host of those that may be taken and are not ejected, and counts a request under way there, which Succeeded,
// Failed, Slow or Left ends. It returns -1 if there is none. The function is called with the balancer locked.
func (b *Balancer) Pick(may func(host int) bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.options.Clock()
	available := func(i int) bool { return b.hosts[i].ejectedUntil <= now && may(i) }
	best := -1
	consider := func(i int) {
		if i >= 0 && (best < 0 || b.expected(i, now) < b.expected(best, now)) {
			best = i
		}
	}
	if len(b.hosts) > scanned {
		first := b.draw(available, -1)
		consider(first)
		consider(b.draw(available, first))
	} else if len(b.hosts) > 0 {
		start := int(b.options.Random() * float64(len(b.hosts))) // hosts that are alike take turns
		for n := range b.hosts {
			if i := (start + n) % len(b.hosts); available(i) {
				consider(i)
			}
		}
	}
	if best >= 0 {
		b.hosts[best].inFlight++
	}
	return best
}

// draw is one of the available hosts but one, each as likely; -1 if there is none.
func (b *Balancer) draw(available func(int) bool, but int) int {
	drawn, n := -1, 0
	for i := range b.hosts {
		if i == but || !available(i) {
			continue
		}
		if n++; b.options.Random()*float64(n) < 1 {
			drawn = i
		}
	}
	return drawn
}

// expected is for how long a request would take there, with those that are under way.
func (b *Balancer) expected(i int, now time.Duration) float64 {
	h := &b.hosts[i]
	if !h.known && h.inFlight == 0 {
		return 0
	}
	return h.peak(now, &b.options) * float64(h.inFlight+1)
}

// Succeeded ends a request that took so long; 0 where that says nothing about the host.
func (b *Balancer) Succeeded(i int, took time.Duration) {
	b.end(i, func(h *host, now time.Duration) {
		if took > 0 {
			h.observe(now, took, &b.options)
		}
		h.failures, h.ejections = 0, 0
	})
}

// Failed ends a request that has failed for a reason of the host's, and reports whether that has ejected it.
func (b *Balancer) Failed(i int) (ejected bool) {
	b.end(i, func(h *host, now time.Duration) { ejected = h.failed(now, &b.options) })
	return ejected
}

// Slow ends a request that was given up after so long. It may be the request's own fault: that is no failure.
func (b *Balancer) Slow(i int, took time.Duration) {
	b.end(i, func(h *host, now time.Duration) { h.observe(now, took, &b.options) })
}

// Left ends a request of which nothing can be learnt.
func (b *Balancer) Left(i int) { b.end(i, func(*host, time.Duration) {}) }

func (b *Balancer) end(i int, learn func(*host, time.Duration)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hosts[i].inFlight--
	learn(&b.hosts[i], b.options.Clock())
}

// State is what is known of a host.
type State struct {
	// Peak is the moving average of its times; Options.Unknown while there are none.
	Peak time.Duration
	// InFlight requests are under way.
	InFlight int
	// Ejected is true while it is not chosen for its failures, which has begun Ejections times.
	Ejected   bool
	Ejections uint64
}

// State of a host now.
func (b *Balancer) State(i int) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, h := b.options.Clock(), &b.hosts[i]
	return State{
		Peak: time.Duration(h.peak(now, &b.options)), InFlight: h.inFlight,
		Ejected: h.ejectedUntil > now, Ejections: h.ejected,
	}
}
