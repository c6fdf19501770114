package loadtest

import (
	"errors"
	"fmt"
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
	bad := func(is bool, field, format string, args ...any) {
		if is {
			errs = append(errs, wrong(field, format, args...))
		}
	}
	bad(len(l.Phases) == 0, "Phases", "there is none: give one with a Duration, and with From and To for a rate")
	for i, p := range l.Phases {
		errs = append(errs, p.validate(fmt.Sprintf("Phases[%d]", i)))
	}
	bad(l.Arrivals != Poisson && l.Arrivals != Even, "Arrivals", "is %d: give Poisson or Even", l.Arrivals)
	bad(l.Protocol != HTTP1 && l.Protocol != HTTP2, "Protocol", "is %d: give HTTP1 or HTTP2", l.Protocol)
	bad(l.Connections < 0, "Connections", "is %d: give 1 or more", l.Connections)
	bad(l.MaxConnections < 0, "MaxConnections", "is %d: give 1 or more", l.MaxConnections)
	bad(l.Timeout < 0, "Timeout", "is %v: give it more than 0", l.Timeout)
	return errors.Join(errs...)
}

// wrong is an error that begins with a field's name.
func wrong(field, format string, args ...any) error { return fmt.Errorf(field+": "+format, args...) }

func (p Phase) validate(field string) error {
	if p.Name != "" {
		field += " (" + p.Name + ")"
	}
	switch {
	case p.Duration <= 0:
		return wrong(field+".Duration", "is %v: give it more than 0", p.Duration)
	case !isRate(p.From) || !isRate(p.To):
		return wrong(field+".From, To", "are %v and %v: give rates from 0 to %d requests a second", p.From, p.To, MostRate)
	case p.Steps < 0 || p.Steps == 1 && p.From != p.To:
		return wrong(field+".Steps", "is %d: give 2 or more, the first being From and the last To, or 0 for a straight line", p.Steps)
	case p.Steps > 0 && p.Closed():
		return wrong(field+".Steps", "is %d, of no rate: give From and To, or leave Steps out", p.Steps)
	}
	return nil
}

func (l *Load) validateTarget() error {
	const field = "Target"
	switch {
	case l.Target == nil:
		return wrong(field, "is missing: give a URL such as http://localhost:3000")
	case l.Target.Scheme != "http" && l.Target.Scheme != "https":
		return wrong(field, "%s has the scheme %q: give http or https", l.Target.Redacted(), l.Target.Scheme)
	case l.Target.Host == "":
		return wrong(field, "%s has no host: give one", l.Target.Redacted())
	case l.Target.RawQuery != "" || l.Target.User != nil:
		return wrong(field, "%s has a query or a user: give them to the requests", l.Target.Redacted())
	}
	return nil
}

func (l *Load) validateSource() error {
	switch {
	case l.Source == nil:
		return wrong("Source", "is missing: give what makes the requests")
	case len(l.Source.Shapes()) == 0:
		return wrong("Source", "has no shapes: give one or more")
	}
	return nil
}

// isRate refuses NaN, too.
func isRate(r float64) bool { return r >= 0 && r <= MostRate }

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
