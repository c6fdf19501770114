package limit

import (
	"math"
	"time"
)

// admission tells overload, and which arrivals are not to be admitted then.
//
// A queue that has not been empty for a whole interval is a standing one. When to stand in it takes longer than target, that
// is overload (Nichols and Jacobson, Controlling Queue Delay, 2012; as folly's Codel uses it). While it lasts, those
// are refused at arrival for whom it is not enough, worst priority first (Zhou et al., Overload Control for Scaling
// WeChat Microservices, 2018; Uber's Cinnamon): admitted is the share of arrivals that keeps the wait at target (as
// PIE does, RFC 8033), and what arrived lately of each level tells down to which level that is.
//
// It is not for concurrent use.
type admission struct {
	target, interval time.Duration // as in Options

	// The interval under way.
	began    time.Duration
	arrived  int
	served   int
	shortest int  // length of the queue, of all times at which somebody was served
	busy     bool // all permits were in use at some time

	until    time.Duration // when the overload is over
	stood    float64       // seconds for which there was a queue and nothing was served
	offered  float64       // arrivals a second, a moving average
	capacity float64       // served a second while there was a queue, a moving average
	share    float64       // of arrivals to admit; 1: all
	level    int           // the last one of which any are admitted
	part     float64       // of the arrivals of that level
	credit   float64       // of the level's next arrival: admitted when it reaches 1

	arrivals [levels]float32 // of about the last ten intervals, older ones counting less
	better   [tiers]float64  // arrivals a second of all better tiers
}

const (
	// gain is how much more than can be served is admitted while nobody waits, and less while the wait is twice the target.
	gain = 0.1
	// probe is by how much more capacity is taken to be for each Options.Interval in which the queue ran empty under overload.
	probe = 0.01
	// calm is for how many intervals an overload lasts on without a standing queue.
	calm = 10
	// longest is the most that the target is stretched to, in targets.
	longest = 50
)

func newAdmission(target, interval time.Duration) admission {
	return admission{target: target, interval: interval, share: 1, level: levels - 1, part: 1}
}

func (a *admission) overloaded(now time.Duration) bool { return now < a.until }

// patience is the target for work that takes so many nanoseconds. To wait for as long as the work itself takes is no overload.
func (a *admission) patience(work float64) time.Duration {
	return max(a.target, min(time.Duration(work), longest*a.target))
}

// arrive counts an arrival, and reports whether it is refused.
func (a *admission) arrive(p Priority) (refused bool) {
	level := p.level()
	a.arrivals[level]++
	a.arrived++
	switch {
	case level < a.level:
	case level > a.level:
		return true
	default:
		a.credit += a.part
		if a.credit < 1 {
			return true
		}
		a.credit--
	}
	return false
}

// tick ends the interval when it is over. The queue has length waiters, of whom the first has waited for oldest.
func (a *admission) tick(now time.Duration, work float64, length int, oldest time.Duration) {
	target := a.patience(work)
	interval := time.Duration(float64(a.interval) * float64(target) / float64(a.target))
	age := now - a.began
	if age < interval {
		return
	}
	wait := oldest // of who joins the queue now
	switch {
	case a.shortest == 0:
		wait = 0
	case a.served > 0:
		wait = time.Duration(float64(a.shortest) / float64(a.served) * float64(age))
	}
	a.measure(age.Seconds(), now)
	if wait > target || a.overloaded(now) && a.offered > a.capacity {
		a.until = now + max(calm*a.interval, 2*interval)
	}
	a.control(float64(wait)/float64(target), float64(age)/float64(a.interval), a.overloaded(now))
	a.forget(float64(age) / float64(interval))
	a.began, a.arrived, a.served, a.shortest, a.busy = now, 0, 0, length, length > 0
}

// measure takes the averages. With a queue all the time, what was served is what can be. Else more can: how much, is known
// only from trying, which is done slowly under overload.
func (a *admission) measure(seconds float64, now time.Duration) {
	a.offered += (float64(a.arrived)/seconds - a.offered) / 4
	stood := a.stood + seconds
	a.stood = 0
	switch {
	case a.shortest > 0 && a.served == 0: // nothing is known until something is
		a.stood = stood
	case a.shortest > 0:
		a.capacity += (float64(a.served)/stood - a.capacity) / 8
	case a.overloaded(now) && a.busy:
		a.capacity *= math.Pow(1+probe, seconds/a.interval.Seconds())
	case a.overloaded(now): // permits were left over: it has recovered
		a.capacity = min(2*a.capacity, max(a.capacity, a.offered))
	default:
		a.capacity = max(a.capacity, float64(a.served)/seconds)
	}
}

// control sets the share of arrivals that are admitted, and after an overload lets it grow until it is all. The wait is in
// targets, the time that has passed in intervals of Options.
func (a *admission) control(wait, passed float64, overloaded bool) {
	if overloaded {
		a.share = a.capacity / max(a.offered, math.SmallestNonzeroFloat64) * (1 + gain*(1-min(wait, 2)))
	} else {
		a.share *= math.Pow(1+gain, passed)
	}
	a.share = max(0.01, min(a.share, 1))
}

// forget lets arrivals fade, and finds the level down to which the admitted share goes.
func (a *admission) forget(passed float64) {
	keep := float32(math.Pow(1-1.0/calm, passed))
	var total float64
	for i := range a.arrivals {
		if i%cohorts == 0 {
			a.better[i/cohorts] = total
		}
		a.arrivals[i] *= keep
		total += float64(a.arrivals[i])
	}
	for t := range a.better {
		a.better[t] *= a.offered / max(total, 1e-9)
	}
	a.level, a.part = levels-1, 1
	if a.share >= 1 {
		return
	}
	rest := total * a.share
	for i, n := range a.arrivals {
		if n := float64(n); n >= rest {
			a.level, a.part = i, rest/max(n, 1e-9)
			return
		}
		rest -= float64(n)
	}
}
