package loadtest

import (
	"math"
	"math/rand/v2"
	"time"
)

// stretch is a part of a phase in which the rate goes in a straight line.
type stretch struct {
	start, length float64 // seconds; start counts from the phase's beginning
	from, to      float64 // requests a second
	before        float64 // requests that are due before it, on average
}

// due is how many requests are due in its first t seconds, on average.
func (s stretch) due(t float64) float64 { return s.from*t + (s.to-s.from)*t*t/(2*s.length) }

func (s stretch) whole() float64 { return s.length * (s.from + s.to) / 2 }

// when inverts due. Written so that nothing cancels out when the rate hardly changes.
func (s stretch) when(n float64) float64 {
	if n <= 0 {
		return 0
	}
	return 2 * n / (s.from + math.Sqrt(max(0, s.from*s.from+2*(s.to-s.from)*n/s.length)))
}

// Closed says whether the phase has no rate.
func (p Phase) Closed() bool { return p.From == 0 && p.To == 0 }

func (p Phase) stretches() []stretch {
	if p.Closed() {
		return nil
	}
	if p.Steps == 0 {
		return []stretch{{length: p.Duration.Seconds(), from: p.From, to: p.To}}
	}
	steps := make([]stretch, p.Steps)
	length, before := p.Duration.Seconds()/float64(p.Steps), 0.0
	for i := range steps {
		rate := p.From
		if i > 0 {
			rate += (p.To - p.From) * float64(i) / float64(p.Steps-1)
		}
		steps[i] = stretch{start: float64(i) * length, length: length, from: rate, to: rate, before: before}
		before += steps[i].whole()
	}
	return steps
}

// due is how many requests are due in the first part of the phase, on average.
func (p Phase) due(until time.Duration) float64 {
	sum := 0.0
	for _, s := range p.stretches() {
		if t := min(until.Seconds()-s.start, s.length); t > 0 {
			sum += s.due(t)
		}
	}
	return sum
}

// Rate is the rate at a time since the phase's beginning, in requests a second; 0 where there is none.
func (p Phase) Rate(at time.Duration) float64 {
	for _, s := range p.stretches() {
		if t := at.Seconds() - s.start; t >= 0 && t < s.length {
			return s.from + (s.to-s.from)*t/s.length
		}
	}
	return 0
}

// arrivals are the times at which the requests of a phase are due, one after the other. A copy goes on from where the
// original was, to the same times.
type arrivals struct {
	stretches []stretch
	even      bool
	random    rand.PCG
	count     uint64
	mass      float64 // of requests that are due until the last time, on average
}

func newArrivals(p Phase, spacing Arrivals, seed, phase uint64) arrivals {
	return arrivals{stretches: p.stretches(), even: spacing == Even, random: *rand.NewPCG(seed, phase)}
}

// next is the next time, counted from the phase's beginning; false when the phase has no more.
//
// A Poisson process whose rate changes is one of rate 1 on a clock that runs as fast as requests are due (Çinlar, Introduction
// to Stochastic Processes, 4.7): that one's distances are exponential, and its times are translated back exactly.
func (a *arrivals) next() (time.Duration, bool) {
	if a.even {
		a.mass = float64(a.count)
	} else {
		u := float64(a.random.Uint64()>>11) / (1 << 53)
		a.mass -= math.Log1p(-u)
	}
	// A request that is due at the very end of a phase is not in it; rounding must not make it be.
	const rounding = 1e-6
	for len(a.stretches) > 0 && a.mass >= a.stretches[0].before+a.stretches[0].whole()-rounding {
		a.stretches = a.stretches[1:]
	}
	if len(a.stretches) == 0 {
		return 0, false
	}
	a.count++
	s := a.stretches[0]
	at := s.start + min(s.when(a.mass-s.before), s.length)
	return time.Duration(at * float64(time.Second)), true
}
