package loadtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// KneeOptions are how the knee is looked for. Zero fields are the defaults.
type KneeOptions struct {
	// Start is the first rate, in requests a second. Default 100.
	Start float64
	// Most is a rate above which nobody wants to know. Default MostRate.
	Most float64
	// Step is how long each rate is measured, after a warm-up of a fifth of it. Default 5 s.
	Step time.Duration
	// Pause is how long nothing is sent between rates, so that queues drain. Default 1 s.
	Pause time.Duration
	// Precision is how close the rates that hold and break the SLO must be, as a part of the rate. Default 0.05.
	Precision float64
	// Progress is called with each point when it was measured; nobody when nil.
	Progress func(Point)
}

// Point is what came of a rate.
type Point struct {
	// Rate was asked for, Achieved sent, both in requests a second.
	Rate, Achieved float64
	// Row has what was counted after the warm-up.
	Row Row
	// Holds says that the SLO was. If not, Why says what broke it, or that not the whole rate could be sent.
	Holds bool
	Why   string
	// Bottleneck is Generator's.
	Bottleneck string
}

// Knee is how much load a service takes within its SLO.
type Knee struct {
	SLO SLO
	// Rate is the highest at which the SLO was held, in requests a second; 0 if it never was.
	Rate float64
	// Points are all that were measured, by Rate; those of the same rate in the order in which they were.
	Points []Point
	// Limit says why the knee may be above Rate: the generator was the bottleneck, Most was reached, or ctx has ended. It is empty
	// where a rate was found that broke the SLO.
	Limit string
}

// A rate that cannot be lowered any further, and how the others are raised.
const (
	leastRate = 1.0 // requests a second
	raise     = 1.5
	warmUp    = 0.2 // of a step
)

// FindKnee raises the rate by half until the SLO breaks, and then halves the gap between the highest rate that held it and the
// lowest that broke it, in proportion. A rate breaks the SLO when it does so twice in a row, as noise seldom does. The Load's
// phases are not used. When ctx ends, the knee is what was found by then.
func FindKnee(ctx context.Context, l Load, slo SLO, o KneeOptions) (*Knee, error) {
	o = o.withDefaults()
	if err := o.validate(slo); err != nil {
		return nil, err
	}
	s := &search{load: l, options: o, knee: &Knee{SLO: slo}, run: Run, breaks: math.Inf(1)}
	return s.find(ctx)
}

func (o KneeOptions) withDefaults() KneeOptions {
	o.Start = cmp.Or(o.Start, 100)
	o.Most = min(cmp.Or(o.Most, MostRate), MostRate)
	o.Step = cmp.Or(o.Step, 5*time.Second)
	o.Pause = cmp.Or(o.Pause, time.Second)
	o.Precision = cmp.Or(o.Precision, 0.05)
	return o
}

func (o KneeOptions) validate(slo SLO) error {
	var errs []error
	if len(slo) == 0 {
		errs = append(errs, wrong("SLO", "is empty: give one such as p99=50ms"))
	}
	if !(o.Start >= leastRate && isRate(o.Start)) || !(o.Most >= o.Start) {
		errs = append(errs, wrong("Start, Most", "are %v and %v: give rates of 1 or more, the second not below the first", o.Start, o.Most))
	}
	if o.Step < 0 || o.Pause < 0 {
		errs = append(errs, wrong("Step, Pause", "are %v and %v: give more than 0", o.Step, o.Pause))
	}
	if !(o.Precision > 0 && o.Precision < 1) {
		errs = append(errs, wrong("Precision", "is %v: give more than 0 and less than 1", o.Precision))
	}
	return errors.Join(errs...)
}

// search is the state of FindKnee.
type search struct {
	load    Load
	options KneeOptions
	knee    *Knee
	run     func(context.Context, Load) (*Result, error)
	runs    uint64
	// breaks is the lowest rate that broke the SLO, or infinite.
	breaks float64
}

func (s *search) find(ctx context.Context) (*Knee, error) {
	var err error
	for rate := s.options.Start; rate > 0 && err == nil; rate = s.next() {
		err = s.try(ctx, rate)
	}
	slices.SortStableFunc(s.knee.Points, func(a, b Point) int { return cmp.Compare(a.Rate, b.Rate) })
	if err != nil {
		return nil, err
	}
	return s.knee, nil
}

// next is the rate to try, or 0 if the knee is found.
func (s *search) next() float64 {
	holds := s.knee.Rate
	switch {
	case s.knee.Limit != "":
		return 0
	case holds == 0:
		if s.breaks <= leastRate {
			return 0
		}
		return max(leastRate, s.breaks/2)
	case math.IsInf(s.breaks, 1):
		if holds >= s.options.Most {
			s.knee.Limit = fmt.Sprintf("no higher rate than %v/s was to be tried", s.options.Most)
			return 0
		}
		return min(holds*raise, s.options.Most)
	case s.breaks <= holds*(1+s.options.Precision):
		return 0
	}
	return math.Sqrt(holds * s.breaks)
}

// try measures a rate, twice if it breaks the SLO.
func (s *search) try(ctx context.Context, rate float64) error {
	var p Point
	for range 2 {
		var err error
		if p, err = s.measure(ctx, rate); err != nil {
			return err
		}
		if ctx.Err() != nil {
			s.knee.Limit = "the search was ended before"
			return nil
		}
		s.knee.Points = append(s.knee.Points, p)
		if s.options.Progress != nil {
			s.options.Progress(p)
		}
		if p.Holds {
			s.knee.Rate = rate
			return nil
		}
	}
	if p.Bottleneck != "" {
		s.knee.Limit = fmt.Sprintf("at %.0f/s the generator is the bottleneck: %s", rate, p.Bottleneck)
	} else {
		s.breaks = rate
	}
	return nil
}

func (s *search) measure(ctx context.Context, rate float64) (Point, error) {
	if s.runs++; s.runs > 1 {
		pause(ctx, s.options.Pause)
	}
	l := s.load
	l.Seed += s.runs
	name := fmt.Sprintf("%.0f/s", rate)
	l.Phases = []Phase{
		{Name: name + ", warm-up", Duration: time.Duration(warmUp * float64(s.options.Step)), From: rate, To: rate, WarmUp: true},
		{Name: name, Duration: s.options.Step, From: rate, To: rate},
	}
	res, err := s.run(ctx, l)
	if err != nil {
		return Point{}, err
	}
	p := Point{
		Rate: rate, Achieved: float64(res.Total.Sent) / s.options.Step.Seconds(), Row: res.Total, Bottleneck: res.Generator.Bottleneck,
	}
	p.Row.Name = name
	p.Why = s.knee.SLO.Broken(&p.Row)
	if p.Why == "" && float64(res.Total.Sent) < leastSent*float64(res.Total.Due) {
		p.Why = fmt.Sprintf("%.0f/s were sent, as all connections were busy", p.Achieved)
	}
	p.Holds = p.Why == ""
	return p, nil
}
