package balance

import (
	"math"
	"time"
)

// host is what a Balancer knows of one. Its mutex guards it.
type host struct {
	known    bool
	average  float64       // in nanoseconds
	observed time.Duration // when
	inFlight int

	failures     int // in a row
	ejections    int // with no success in between
	ejectedUntil time.Duration
	ejected      uint64 // times since the start
}

// observe takes a time into the average. A peak counts at once and in full; what is below, by how long ago the last one was.
func (h *host) observe(now, took time.Duration, o *Options) {
	weight := h.weight(now, o)
	switch {
	case !h.known || float64(took) > h.average*weight:
		h.average = float64(took)
	default:
		h.average = h.average*weight + float64(took)*(1-weight)
	}
	h.known, h.observed = true, now
}

// weight of what was observed until now, from 1 down to 0.
func (h *host) weight(now time.Duration, o *Options) float64 {
	return math.Exp(-float64(now-h.observed) / float64(o.Decay))
}

// peak is the average now. It falls while nothing is heard, so that a host that was slow once is tried again.
func (h *host) peak(now time.Duration, o *Options) float64 {
	if !h.known {
		return float64(o.Unknown)
	}
	return max(1, h.average*h.weight(now, o))
}

// failed counts a failure. Requests that were under way when the host was ejected count for no further ejection.
func (h *host) failed(now time.Duration, o *Options) (ejected bool) {
	if h.ejectedUntil > now {
		return false
	}
	if h.failures++; h.failures < o.Failures {
		return false
	}
	h.failures = 0
	h.ejections++
	h.ejected++
	const jitter = 0.2 // of instances that were ejecting it together, not all come back at once
	length := min(time.Duration(h.ejections)*o.Ejected, o.LongestEjection)
	h.ejectedUntil = now + time.Duration(float64(length)*(1+jitter*(2*o.Random()-1)))
	return true
}
