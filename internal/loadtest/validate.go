package loadtest

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The defaults of a Load.
const (
	defaultMaxConnections = 1000
	defaultTimeout        = 10 * time.Second
)

// Validate tells all that is wrong with a load, each with its field and what to do.
func (l *Load) Validate() error {
	errs := []error{l.validateTarget(), l.validateSource()}
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(len(l.Phases) == 0, "Phases: there is none: give one with a Duration, and with From and To for a rate")
	for i, p := range l.Phases {
		name := fmt.Sprintf("Phases[%d]", i)
		if p.Name != "" {
			name += fmt.Sprintf(" (%s)", p.Name)
		}
		bad(p.Duration <= 0, "%s.Duration: is %v: give it more than 0", name, p.Duration)
		bad(!isRate(p.From) || !isRate(p.To), "%s.From, To: are %v and %v: give rates of 0 or more requests a second", name, p.From, p.To)
		bad(p.Steps < 0 || p.Steps == 1 && p.From != p.To, "%s.Steps: is %d: give 2 or more, the first being From and the last To, or 0 for a straight line",
			name, p.Steps)
		bad(p.Steps > 0 && p.Closed(), "%s.Steps: steps of no rate: give From and To, or leave Steps out", name)
	}
	bad(l.Arrivals != Poisson && l.Arrivals != Even, "Arrivals: is %d: give Poisson or Even", l.Arrivals)
	bad(l.Protocol != HTTP1 && l.Protocol != HTTP2, "Protocol: is %d: give HTTP1 or HTTP2", l.Protocol)
	bad(l.Connections < 0, "Connections: is %d: give 1 or more", l.Connections)
	bad(l.MaxConnections < 0, "MaxConnections: is %d: give 1 or more", l.MaxConnections)
	bad(l.Timeout < 0, "Timeout: is %v: give it more than 0", l.Timeout)
	return errors.Join(errs...)
}

func (l *Load) validateTarget() error {
	switch {
	case l.Target == nil:
		return errors.New("Target: is missing: give a URL such as http://localhost:3000")
	case l.Target.Scheme != "http" && l.Target.Scheme != "https":
		return fmt.Errorf("Target: %s has the scheme %q: give http or https", l.Target.Redacted(), l.Target.Scheme)
	case l.Target.Host == "":
		return fmt.Errorf("Target: %s has no host: give one", l.Target.Redacted())
	case l.Target.RawQuery != "" || l.Target.User != nil:
		return fmt.Errorf("Target: %s has a query or a user: give them to the requests", l.Target.Redacted())
	}
	return nil
}

func (l *Load) validateSource() error {
	switch {
	case l.Source == nil:
		return errors.New("Source: is missing: give what makes the requests")
	case len(l.Source.Shapes()) == 0:
		return errors.New("Source: has no shapes: give one or more")
	}
	return nil
}

func isRate(r float64) bool { return r >= 0 && !math.IsInf(r, 1) }

// withDefaults is a copy.
func (l Load) withDefaults() Load {
	if l.Connections == 0 {
		l.Connections = 1
	}
	if l.MaxConnections == 0 {
		l.MaxConnections = defaultMaxConnections
	}
	if l.Timeout == 0 {
		l.Timeout = defaultTimeout
	}
	return l
}
