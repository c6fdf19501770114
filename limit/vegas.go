package limit

import (
	"math"
	"time"
)

const (
	leastWindow = time.Second
	mostWindow  = 30 * time.Second
	fullWindow  = 50 // samples of a window
	fewSamples  = 10 // that are still worth to be looked at

	// recovery is the least time between two steps back to where the limit was before a cut.
	recovery = 100 * time.Millisecond

	// tooSlow is how many times slower than usual the slow tenth of the work must be for the limit to be cut by half.
	tooSlow = 8
	// workSamples is of about how many samples the moving average is.
	workSamples = 64
	// slower is from when on a recovering limit has come far enough.
	slower = 2
)

// vegas finds how much of a class's work should be under way at a time, after TCP Vegas (Brakmo and Peterson, 1995): from
// how much slower it is than alone it infers how much of it queues up inside of the upstream, and keeps that between
// alpha and beta. What is alone, it learns only when little is under way: else a long congestion would become the norm,
// and the limit would drift.
//
// It is not for concurrent use.
type vegas struct {
	min, max float64
	limit    float64
	before   float64 // limit before it was cut: it doubles until there

	began  time.Duration // of the window
	cut    time.Duration // when it was cut last
	all    histogram     // of latency / baseline
	failed int           // of all: timed out
	done   int           // whatever their latency
	peak   int           // most in flight

	quiet  histogram // of latency / baseline, without congestion, over one or several windows
	spread float64   // its 90th percentile
	trend  trend
	own    Baseline // of work that comes without

	work float64 // nanoseconds that the work takes without congestion: a moving average over its baselines
}

func newVegas(least, most int) vegas {
	limit := float64(most)
	return vegas{min: float64(least), max: limit, limit: limit, before: limit, spread: slower, cut: -leastWindow}
}

func (v *vegas) most() int { return int(v.limit) }

// atFloor tells whether the limit cannot be lowered: what is slow now, is not slow because of too much at a time.
func (v *vegas) atFloor() bool { return v.limit <= v.min }

// quietBelow is how much may be under way for a latency to be one without congestion.
func (v *vegas) quietBelow() int { return int(max(v.min, v.limit/2)) }

// sample notes an outcome. It is quiet if the work began without congestion.
func (v *vegas) sample(o *Outcome, quiet bool, now time.Duration, at time.Time) {
	v.done++
	switch {
	case o.Failed == Refused:
		v.refused(now)
		return
	case o.Failed == TimedOut:
		v.failed++
		v.all.addWorst()
		return
	case o.Failed != None || o.Took <= 0:
		return
	}
	shape := o.Shape
	if shape == nil {
		shape = &v.own
	}
	usual := shape.Mean()
	if usual > 0 {
		ratio := float64(o.Took) / float64(usual)
		v.all.add(ratio)
		if quiet {
			v.quiet.add(ratio)
		}
	}
	if quiet {
		shape.learn(o.Took, at, v.atFloor())
	}
	v.work += (float64(shape.Mean()) - v.work) / workSamples
}

// refused lowers the limit at once, below what has been refused, and for longer than a cut.
func (v *vegas) refused(now time.Duration) {
	if now-v.cut >= leastWindow {
		v.cut = now
		v.limit = max(v.min, v.limit*3/4)
		v.before = v.limit
	}
}

// due tells whether the window is over.
func (v *vegas) due(now time.Duration) bool {
	n, age := int(v.all.n), now-v.began
	switch {
	case n < fewSamples || age < recovery:
		return false
	case v.limit < v.before && n >= v.most():
		return true
	case age >= mostWindow:
		return true
	}
	return age >= leastWindow && (n >= fullWindow || v.failed >= fewSamples)
}

// end moves the limit, and begins a new window. Full tells whether permits were lacking.
func (v *vegas) end(now time.Duration, full bool) {
	if v.quiet.n >= fewSamples*2 {
		v.learnSpread()
	}
	falling := false
	if full {
		falling = v.trend.add(float64(v.peak), float64(v.done)/(now-v.began).Seconds())
	}
	slowness := max(1, v.all.p90()/v.spread)
	queue := math.Ceil(v.limit * (1 - 1/slowness))
	alpha, beta, step := max(2, 3*math.Log10(v.limit)), max(2, 6*math.Log10(v.limit)), max(1, math.Log10(v.limit))
	switch {
	case slowness > tooSlow:
		if now-v.cut >= leastWindow {
			v.cut = now
			v.limit /= 2
		}
	case v.limit < v.before && slowness < slower:
		v.limit = min(2*v.limit, v.before)
	case queue > beta, falling:
		v.limit -= step
		v.before = v.limit
	case queue < alpha:
		v.limit += step
		v.before = v.limit
	default:
		v.before = v.limit
	}
	v.limit = max(v.min, min(v.limit, v.max))
	v.before = max(v.min, min(v.before, v.max))
	v.began, v.all, v.failed, v.done, v.peak = now, histogram{}, 0, 0, 0
}

// learnSpread learns how slow the slow tenth of the work is without congestion; upwards slowly, unless it is known that
// there is none.
func (v *vegas) learnSpread() {
	p90 := max(1, v.quiet.p90())
	next := v.spread + (p90-v.spread)/4
	if !v.atFloor() {
		next = min(next, v.spread*1.05)
	}
	v.spread, v.quiet = next, histogram{}
}

// trend tells whether more at a time gets less done.
type trend struct {
	x, y [trendLength]float64 // in flight and throughput of the last windows that had no permit to spare
	n    int
}

const (
	trendLength = 50
	trendWarmup = 20
	// clearlyNegative is a correlation that chance makes of 20 windows of steady load one time in a hundred.
	clearlyNegative = -0.5
)

// add reports whether the correlation of in flight and throughput is clearly negative.
func (t *trend) add(inFlight, throughput float64) bool {
	t.x[t.n%trendLength], t.y[t.n%trendLength] = inFlight, throughput
	t.n++
	n := min(t.n, trendLength)
	if n < trendWarmup {
		return false
	}
	var mx, my, xx, yy, xy float64
	for i := range n {
		mx += t.x[i] / float64(n)
		my += t.y[i] / float64(n)
	}
	for i := range n {
		dx, dy := t.x[i]-mx, t.y[i]-my
		xx += dx * dx
		yy += dy * dy
		xy += dx * dy
	}
	return xx > 0 && yy > 0 && xy < clearlyNegative*math.Sqrt(xx*yy)
}
