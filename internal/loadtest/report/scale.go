package report

import (
	"math"
	"strconv"
	"time"
)

// scale puts values on an axis.
type scale struct {
	low, high float64
	log       bool
}

// at is where a value is, from 0 at the low end to 1 at the high one.
func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log10(max(v, s.low)), math.Log10(low), math.Log10(high)
	}
	return min(1, max(0, (v-low)/(high-low)))
}

// fromZero is a linear scale up to a tick at or above the highest value.
func fromZero(highest float64) scale {
	if highest <= 0 || math.IsNaN(highest) || math.IsInf(highest, 0) {
		highest = 1
	}
	step := nice(highest / 5)
	return scale{high: step * math.Ceil(highest/step*0.9999)}
}

// forLatencies is logarithmic when a linear scale would press most of the values, in milliseconds, onto the axis.
func forLatencies(values []float64) scale {
	lowest, highest := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 {
			lowest, highest = min(lowest, v), max(highest, v)
		}
	}
	const tooWide = 30
	if highest < tooWide*lowest {
		return fromZero(highest)
	}
	return scale{low: below(lowest), high: below(highest * 2.5), log: true}
}

// below is the next of 1, 2, 5, 10 and so on that is not above v.
func below(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{5, 2} {
		if v >= step*decade {
			return step * decade
		}
	}
	return decade
}

// nice is the next of 1, 2, 5, 10 and so on that is not below v.
func nice(v float64) float64 {
	if b := below(v); b == v {
		return b
	}
	return below(below(v) * 2.5)
}

// ticks are at values that are easy to read, about five.
func (s scale) ticks() []float64 {
	var list []float64
	if !s.log {
		step := nice((s.high - s.low) / 6)
		for i := math.Ceil(s.low / step); i*step <= s.high*1.0001; i++ {
			list = append(list, i*step)
		}
		return list
	}
	every := []float64{1}
	if s.high/s.low <= 1000 {
		every = []float64{1, 2, 5}
	}
	for decade := math.Floor(math.Log10(s.low)); decade <= math.Log10(s.high); decade++ {
		for _, e := range every {
			if v := e * math.Pow(10, decade); v >= s.low*0.999 && v <= s.high*1.001 {
				list = append(list, v)
			}
		}
	}
	return list
}

// tickLabel writes a value of a tick without digits that say nothing.
func tickLabel(v float64) string {
	if v >= 1000 {
		return thousands(v)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// timeTicks are about six times from 0 to the end of a run.
func timeTicks(end time.Duration) []time.Duration {
	steps := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
		10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute,
		30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour, 10 * 24 * time.Hour}
	step := steps[len(steps)-1]
	for i := len(steps) - 1; i >= 0 && end <= 7*steps[i]; i-- {
		step = steps[i]
	}
	var list []time.Duration
	for t := time.Duration(0); t <= end; t += step {
		list = append(list, t)
	}
	return list
}

// timeLabel writes a time of a run of some length.
func timeLabel(t, end time.Duration) string {
	switch {
	case end > 6*time.Hour:
		return strconv.FormatFloat(t.Hours(), 'f', -1, 64) + " h"
	case end > 7*time.Minute:
		return strconv.FormatFloat(t.Minutes(), 'f', -1, 64) + " min"
	}
	return strconv.FormatFloat(t.Seconds(), 'f', -1, 64) + " s"
}
