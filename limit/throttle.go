package limit

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	throttleBuckets = 10 // of a second each
	throttleK       = 2
	throttleLeast   = 20
	throttleMost    = 0.9
)

// Throttle spares an upstream that refuses or fails most of the requests, on the side of its client (Google's SRE book,
// "Handling Overload", https://sre.google/sre-book/handling-overload/). Of the requests of the last ten seconds, it
// counts how many there were and how many the upstream accepted, and refuses with the probability
//
//	max(0, (requests − 2·accepts) / (requests + 1))
//
// but never more than 90 % of them, so that it finds out when the upstream has recovered, and none as long as there were
// fewer than 20. What it refuses itself counts as a request.
//
// Its zero value is ready, and may be used by many at a time. It needs no memory besides.
type Throttle struct {
	buckets [throttleBuckets]throttleBucket
}

// throttleBucket is of one second. A count that comes while the bucket is taken for another second may be lost.
type throttleBucket struct {
	second            atomic.Int64
	requests, accepts atomic.Int64
}

// Allow tells whether a request may be made. If so, Done is to be called with what came of it: only then it counts, since what
// is under way says nothing yet.
func (t *Throttle) Allow() bool {
	now := time.Now().Unix()
	if p := t.refusal(now); p == 0 || rand.Float64() >= p {
		return true
	}
	t.bucket(now).requests.Add(1)
	return false
}

// Done tells what came of an allowed request: ok if the upstream accepted it, even if it could not do it for a reason of
// the client's own.
func (t *Throttle) Done(ok bool) {
	b := t.bucket(time.Now().Unix())
	b.requests.Add(1)
	if ok {
		b.accepts.Add(1)
	}
}

// ThrottleStats tell what a Throttle does.
type ThrottleStats struct {
	Requests, Accepts int64   // of the last ten seconds
	Refusal           float64 // the probability with which a request is refused, 0 to 0.9
}

// Stats returns what the throttle does at the moment.
func (t *Throttle) Stats() ThrottleStats {
	now := time.Now().Unix()
	requests, accepts := t.sums(now)
	return ThrottleStats{requests, accepts, t.refusal(now)}
}

func (t *Throttle) refusal(now int64) float64 {
	requests, accepts := t.sums(now)
	if requests < throttleLeast {
		return 0
	}
	return max(0, min(float64(requests-throttleK*accepts)/float64(requests+1), throttleMost))
}

func (t *Throttle) sums(now int64) (requests, accepts int64) {
	for i := range t.buckets {
		b := &t.buckets[i]
		if second := b.second.Load(); second > now-throttleBuckets && second <= now {
			requests += b.requests.Load()
			accepts += b.accepts.Load()
		}
	}
	return requests, accepts
}

// bucket is that of a second; who comes first empties it.
func (t *Throttle) bucket(second int64) *throttleBucket {
	b := &t.buckets[second%throttleBuckets]
	if old := b.second.Load(); old != second && b.second.CompareAndSwap(old, second) {
		b.requests.Store(0)
		b.accepts.Store(0)
	}
	return b
}
