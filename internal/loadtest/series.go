package loadtest

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	mostIntervals = 600
	firstInterval = 100 * time.Millisecond
)

// series is what was counted over time. Its intervals get longer so that they never are more than mostIntervals.
type series struct {
	length    time.Duration
	intervals []Interval // without Start, Length and Offered; Latency is nil where there is none
}

func newSeries() series { return series{length: firstInterval} }

// at is the interval of a time.
func (s *series) at(t time.Duration) *Interval {
	for t >= mostIntervals*s.length {
		s.halve()
	}
	for len(s.intervals) <= int(t/s.length) {
		s.intervals = append(s.intervals, Interval{})
	}
	return &s.intervals[t/s.length]
}

// halve makes one interval of two.
func (s *series) halve() {
	for i := range (len(s.intervals) + 1) / 2 {
		one := s.intervals[2*i]
		if 2*i+1 < len(s.intervals) {
			one.merge(&s.intervals[2*i+1])
		}
		s.intervals[i] = one
	}
	rest := s.intervals[(len(s.intervals)+1)/2:]
	clear(rest)
	s.intervals = s.intervals[:len(s.intervals)-len(rest)]
	s.length *= 2
}

func (i *Interval) merge(other *Interval) {
	i.Due += other.Due
	i.Sent += other.Sent
	i.Good += other.Good
	i.Errors += other.Errors
	switch {
	case i.Latency == nil:
		i.Latency = other.Latency
	case other.Latency != nil:
		i.Latency.Merge(other.Latency)
	}
}

func (s *series) add(one *sample) {
	i := s.at(one.due)
	if one.event != answered {
		i.Due++
	}
	if one.event == announced {
		return
	}
	i.Sent++
	switch {
	case one.abandoned:
		return
	case one.problem == "":
		i.Good++
	default:
		i.Errors++
	}
	if one.timed {
		if i.Latency == nil {
			i.Latency = hdrhistogram.New(1, longest, seriesDigits)
		}
		record(i.Latency, one.done-one.due)
	}
}

// until gives all intervals up to a time.
func (s *series) until(end time.Duration, phases []Phase) []Interval {
	s.at(max(0, end-1))
	all := s.intervals
	for i := range all {
		all[i].Start, all[i].Length = time.Duration(i)*s.length, s.length
		all[i].Offered = (due(phases, all[i].Start+s.length) - due(phases, all[i].Start)) / s.length.Seconds()
		if all[i].Latency == nil {
			all[i].Latency = hdrhistogram.New(1, longest, seriesDigits)
		}
	}
	return all
}

// due is how many requests of all phases are due until a time of the run, on average.
func due(phases []Phase, until time.Duration) float64 {
	sum := 0.0
	for _, p := range phases {
		if until <= 0 {
			break
		}
		sum += p.due(min(until, p.Duration))
		until -= p.Duration
	}
	return sum
}
