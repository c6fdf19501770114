package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"
)

// Fault is one kind of trouble, and which connections it meets, when, and how often. Exactly one of the kinds must be set.
// Its fields are those of scenario files and of the control API under their JSON names.
type Fault struct {
	// Name is for logs, events and counts. Default: the kind, such as "latency".
	Name string `json:"name"`
	// Direction is which bytes are meant: those to the client, to the upstream, or both. For HalfOpen it is the side that is closed.
	Direction Direction `json:"direction"`
	// Probability of a connection to be met; for a Point at a message, and for HTTP, of each message. Default 1.
	Probability Probability `json:"probability"`
	// Connections are those that can be met. Default: all.
	Connections Connections `json:"connections"`

	// At is how long after it was set a fault begins, For how long it lasts, Every from one beginning to the next. Default: at once,
	// for good.
	At    time.Duration `json:"at"`
	For   time.Duration `json:"for"`
	Every time.Duration `json:"every"`

	// Latency is added to all bytes, which keep their order. As many as before are on their way at a time, up to 16 MiB.
	Latency Latency `json:"latency"`
	// Bandwidth is that of each connection, in each direction.
	Bandwidth Rate `json:"bandwidth"`
	// SlowOpen is how long new connections wait before the upstream is asked.
	SlowOpen time.Duration `json:"slow-open"`
	// Refuse closes new connections at once.
	Refuse bool `json:"refuse"`
	// Corrupt is how likely each byte has a bit flipped.
	Corrupt Probability `json:"corrupt"`
	// Truncate ends a connection after so many bytes to the client, as if that were all: Cut with a Point of these Bytes.
	Truncate Size `json:"truncate"`
	// Cut ends both sides of a connection in good order (FIN).
	Cut *Point `json:"cut"`
	// Reset breaks both sides off (RST).
	Reset *Point `json:"reset"`
	// Blackhole forwards nothing, and closes nothing, while the fault lasts. New connections are accepted; the upstream is not
	// asked unless only one direction is meant. What was held back then goes on its way.
	Blackhole *Point `json:"blackhole"`
	// HalfOpen closes one side, and tells the other nothing: what it sends is swallowed.
	HalfOpen *Point `json:"half-open"`
	// Delay holds bytes back for Point.By at a Point.
	Delay *Point `json:"delay"`
	// HTTP is for requests and answers of HTTP/1.1.
	HTTP *HTTP `json:"http"`
}

// Connections chooses some of a proxy's connections. All that is set must fit.
type Connections struct {
	// Nth is the number of the only connection that is meant, from 1.
	Nth uint64 `json:"nth"`
	// Every means each connection whose number can be divided by it.
	Every uint64 `json:"every"`
	// From is the client's address, or a range such as 10.0.0.0/8.
	From string `json:"from"`
}

// Point is where in a connection something happens. The zero Point is at once: with connections that are open when the fault
// begins, and with new ones as they are opened. As text: "true", or a number of bytes.
type Point struct {
	// Bytes is after so many of them.
	Bytes Size `json:"bytes"`
	// Before and After name a message of PostgreSQL as its documentation does (Message Formats), such as CommandComplete. Before keeps
	// the message back, after lets it go.
	Before string `json:"before"`
	After  string `json:"after"`
	// SQL is what the statement of a Query, Parse, Bind, Describe or Execute begins with, in any case.
	SQL string `json:"sql"`
	// Tag is what the tag of a CommandComplete begins with, such as COMMIT or INSERT.
	Tag string `json:"tag"`
	// Nth is which of the messages that fit on a connection is meant, from 1. Default: each.
	Nth uint64 `json:"nth"`
	// By is for Fault.Delay: how long.
	By time.Duration `json:"by"`
}

// UnmarshalText reads "true" and numbers of bytes such as "64KiB".
func (p *Point) UnmarshalText(text []byte) error {
	if string(text) == "true" {
		return nil
	}
	if err := p.Bytes.UnmarshalText(text); err != nil || p.Bytes == 0 {
		return fmt.Errorf("%q is no point in a connection; write true, a number of bytes such as 64KiB, or {before: CommandComplete}", text)
	}
	return nil
}

func (p *Point) message() string { return p.Before + p.After }

// atOnce tells the zero Point, which needs no bytes to get to.
func (p *Point) atOnce() bool { return p != nil && p.Bytes == 0 && p.message() == "" }

// HTTP is what happens to requests. Exactly one of Status, Delay and Cut must be set.
type HTTP struct {
	// Method that requests have. Default: any.
	Method string `json:"method"`
	// Path is what the path begins with; if there is a *, ? or [ in it, a pattern for all of it as in path.Match. Default: any.
	Path string `json:"path"`
	// Status is answered instead of asking the upstream.
	Status int `json:"status"`
	// Delay is how long a request is held back.
	Delay time.Duration `json:"delay"`
	// Cut ends the connection after so many bytes of the answer's body; 1 or more.
	Cut Size `json:"cut"`
}

// fits reports whether a request is meant.
func (h *HTTP) fits(r *http.Request) bool {
	if h.Method != "" && h.Method != r.Method {
		return false
	}
	if strings.ContainsAny(h.Path, "*?[") {
		ok, _ := path.Match(h.Path, r.URL.Path)
		return ok
	}
	return strings.HasPrefix(r.URL.Path, h.Path)
}

// kinds are the names of what is set.
func (f *Fault) kinds() []string {
	var names []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"latency", f.Latency != Latency{}}, {"bandwidth", f.Bandwidth != 0}, {"slow-open", f.SlowOpen != 0}, {"refuse", f.Refuse},
		{"corrupt", f.Corrupt != 0}, {"truncate", f.Truncate != 0}, {"cut", f.Cut != nil}, {"reset", f.Reset != nil},
		{"blackhole", f.Blackhole != nil}, {"half-open", f.HalfOpen != nil}, {"delay", f.Delay != nil}, {"http", f.HTTP != nil},
	} {
		if k.set {
			names = append(names, k.name)
		}
	}
	return names
}

// point is where the fault happens; nil for one that goes on all the time.
func (f *Fault) point() *Point {
	switch {
	case f.Truncate != 0:
		return &Point{Bytes: f.Truncate}
	case f.Cut != nil:
		return f.Cut
	case f.Reset != nil:
		return f.Reset
	case f.Blackhole != nil:
		return f.Blackhole
	case f.HalfOpen != nil:
		return f.HalfOpen
	}
	return f.Delay
}

// Validate says what is wrong with a fault, and what to write instead; all of it, joined.
func (f *Fault) Validate() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if kinds := f.kinds(); len(kinds) != 1 {
		problem("a fault has one kind, such as latency, reset or blackhole; this has %d (%s)", len(kinds), strings.Join(kinds, ", "))
	}
	if f.Probability < 0 || f.Probability > 1 || f.Corrupt < 0 || f.Corrupt > 1 {
		problem("a probability is between 0 and 1")
	}
	if f.Latency.Jitter < 0 || f.Latency.Jitter > f.Latency.Delay || f.Bandwidth < 0 || f.SlowOpen < 0 || f.Truncate < 0 {
		problem("latency, bandwidth, slow-open and truncate cannot be negative, nor vary by more than they are")
	}
	if f.At < 0 || f.For < 0 || f.Every < 0 || f.Every > 0 && (f.For == 0 || f.For >= f.Every) {
		problem("every needs a for that is shorter, as in {at: 10s, for: 5s, every: 30s}")
	}
	if f.Truncate != 0 && f.Direction.has(ToUpstream) {
		problem("truncate is for what goes to the client; use cut for the other direction")
	}
	if f.HalfOpen != nil && f.Direction == Both {
		problem("half-open closes one side; write direction: client or upstream")
	}
	if _, err := f.Connections.prefix(); err != nil {
		problem("%w", err)
	}
	if p := f.point(); p != nil {
		problems = append(problems, p.validate(f))
	}
	if f.HTTP != nil {
		problems = append(problems, f.HTTP.validate())
	}
	return errors.Join(problems...)
}

func (p *Point) validate(f *Fault) error {
	switch {
	case p.Bytes < 0 || p.By < 0:
		return errors.New("neither bytes nor by can be negative")
	case p.Bytes != 0 && p.message() != "" || p.Before != "" && p.After != "":
		return errors.New("a point has one of bytes, before and after")
	case (f.Delay != nil) != (p.By != 0):
		return errors.New("by is for delay, which needs it, as in delay: {before: CommandComplete, by: 2s}")
	case f.Delay != nil && p.atOnce():
		return errors.New("delay needs a point, such as before: CommandComplete; use latency to delay everything")
	case p.message() == "" && (p.SQL != "" || p.Tag != "" || p.Nth != 0):
		return errors.New("sql, tag and nth need a message, as in {before: Query, sql: COMMIT}")
	case p.message() == "":
		return nil
	}
	return p.validateMessage(f)
}

func (c *Connections) prefix() (netip.Prefix, error) {
	if c.From == "" {
		return netip.Prefix{}, nil
	}
	if a, err := netip.ParseAddr(c.From); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(c.From)
	if err != nil {
		return prefix, fmt.Errorf("%q is no address; write one such as 10.1.2.3, or a range such as 10.0.0.0/8", c.From)
	}
	return prefix, nil
}

func (h *HTTP) validate() error {
	set := 0
	for _, is := range []bool{h.Status != 0, h.Delay != 0, h.Cut != 0} {
		if is {
			set++
		}
	}
	const least, most = 200, 599
	switch _, err := path.Match(h.Path, "/"); {
	case set != 1:
		return errors.New("http needs one of status, delay and cut, as in http: {status: 503, path: /api/}")
	case h.Status != 0 && (h.Status < least || h.Status > most):
		return fmt.Errorf("status %d cannot be answered; write one from %d to %d", h.Status, least, most)
	case h.Delay < 0 || h.Cut < 0:
		return errors.New("neither delay nor cut can be negative")
	case err != nil:
		return fmt.Errorf("%q is no pattern for paths: a [ needs its ]", h.Path)
	}
	return nil
}
