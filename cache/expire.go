package cache

import (
	"math/rand/v2"
	"time"
)

// expired says whether an entry with a limit is to be filled anew. Before the limit a caller in several is chosen, by
// optimal probabilistic early expiration (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede
// Prevention, VLDB 2015) with β = 1: the longer the fill took and the nearer the limit is, the more likely.
func (e *Entry) expired(now time.Duration) Miss {
	switch {
	case now >= e.expires:
		return MissExpired
	case now+time.Duration(float64(e.cost)*rand.ExpFloat64()) >= e.expires:
		e.early.Store(true)
		return MissEarly
	}
	return served
}
