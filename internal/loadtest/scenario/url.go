package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml/token"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// Options are what a load of one URL has besides it. The zero value is 10 s of one GET after the other on one connection.
type Options struct {
	// Method is GET by default, POST if there is a body.
	Method string
	// Headers are of the form "Name: value".
	Headers []string
	// Body and BodyFile are as in Request.
	Body, BodyFile string
	// Variables are as in a file, such as "id: {range: [1, 100]}"; the URL, the headers and the body have ${id} then.
	Variables []string
	// Rate in requests a second, such as 100, or 100..500 for one that changes, in so many Steps if there are any. Empty: as
	// many as Connections can.
	Rate  string
	Steps int
	// Connections is how many send one request after the other if there is no rate. Default 1.
	Connections int
	// Duration of the load, which follows a warm-up of WarmUp. Defaults 10 s and none.
	Duration, WarmUp time.Duration
	// Status has the right ones, such as 200 or 2xx. Default: 200 to 399.
	Status []string
	// Contains is what the body of an answer must have in it.
	Contains string
	Seed     uint64
	// The rest is as in Scenario.
	Arrivals       loadtest.Arrivals
	MaxConnections int
	Protocol       loadtest.Protocol
	Timeout        time.Duration
}

// OfURL makes a scenario of a URL with a scheme and a host. It may have ${name} after the host.
func OfURL(url string, o Options) (*Scenario, error) {
	s := &Scenario{
		Seed: o.Seed, Arrivals: o.Arrivals, MaxConnections: o.MaxConnections, Protocol: o.Protocol, Timeout: o.Timeout,
		Requests: []Request{{Method: o.Method, Body: o.Body, BodyFile: o.BodyFile, Expect: Expect{Contains: o.Contains}}},
	}
	q := &s.Requests[0]
	s.Target, q.Path = cutURL(url)
	errs := []error{o.phases(s), o.statuses(&q.Expect), o.variables(s)}
	for _, h := range o.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			errs = append(errs, fmt.Errorf("a header has no colon; write it as 'Name: value'")) // what it has may be secret
			continue
		}
		q.Headers = append(q.Headers, Header{name, strings.TrimSpace(value)})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, p := range s.check() {
		p.path = onCommandLine(p.path)
		errs = append(errs, p)
	}
	return s, errors.Join(errs...)
}

// onCommandLine is a path without what leads to the only request, and to the only phase that has been asked for.
func onCommandLine(path string) string {
	for _, prefix := range []string{"requests[0].", "phases[0].", "phases[1]."} {
		path = strings.TrimPrefix(path, prefix)
	}
	return path
}

// cutURL cuts before the path, which may have ${ in it, as net/url would not.
func cutURL(url string) (target, path string) {
	scheme := strings.Index(url, "://")
	if scheme < 0 {
		return url, "/"
	}
	host := scheme + len("://")
	end := strings.IndexAny(url[host:], "/?#")
	switch {
	case end < 0:
		return url, "/"
	case url[host+end] == '?':
		return url[:host+end], "/" + url[host+end:]
	}
	return url[:host+end], url[host+end:]
}

func (o *Options) phases(s *Scenario) error {
	p := Phase{Phase: loadtest.Phase{Duration: o.Duration, Steps: o.Steps}}
	if p.Duration == 0 {
		p.Duration = 10 * time.Second
	}
	if o.Rate == "" {
		p.Connections = max(o.Connections, 1)
	} else {
		p.Connections = o.Connections // which is found to be too much
		if remedy := setRate(&p.Phase, o.Rate); remedy != "" {
			return fmt.Errorf("rate: %q is not possible; %s", o.Rate, remedy)
		}
	}
	s.Phases = []Phase{p}
	if o.WarmUp > 0 {
		warm := p
		warm.Name, warm.Duration, warm.WarmUp, warm.To, warm.Steps = "warm-up", o.WarmUp, true, p.From, 0
		if p.From == 0 {
			warm.From, warm.To = p.To/2, p.To/2
		}
		s.Phases = []Phase{warm, p}
	}
	return nil
}

func (o *Options) statuses(e *Expect) error {
	for _, text := range o.Status {
		status, remedy := parseStatus(text)
		if remedy != "" {
			return fmt.Errorf("status: %q is not possible; %s", text, remedy)
		}
		e.Status = append(e.Status, status)
	}
	return nil
}

func (o *Options) variables(s *Scenario) error {
	if len(o.Variables) == 0 {
		return nil
	}
	r := reader{name: "variable", places: map[string]*token.Token{}}
	for _, text := range o.Variables {
		if root, ok := r.parse([]byte(text)); ok {
			r.variables(&s.Variables)("", root)
		}
	}
	return errors.Join(r.problems...)
}
