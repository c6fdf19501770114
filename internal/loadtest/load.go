package loadtest

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"time"
)

// Load says what is sent: where to, when, and how. Target, Source and Phases are required; zero fields are the defaults.
type Load struct {
	// Target has the scheme, http or https, and the host that requests go to. Its path goes before theirs.
	Target *url.URL
	// Source makes the requests.
	Source Source
	// Phases follow one another.
	Phases []Phase
	// Arrivals is how requests are spaced within a phase that has a rate. Default Poisson.
	Arrivals Arrivals
	// Seed makes arrivals and requests repeatable.
	Seed uint64
	// Connections is how many requests are under way at once in a phase without a rate. Default 1.
	Connections int
	// MaxConnections is the most that are open at once in a phase with a rate; over HTTP/2, the most requests under way. What is
	// due while all are busy is sent late, and its latency counts from when it was due. Default 1000.
	MaxConnections int
	// Protocol is HTTP1 or HTTP2. Default HTTP1.
	Protocol Protocol
	// TLS is for targets with https.
	TLS *tls.Config
	// Timeout is how long an answer may take from when its request was sent, and opening a connection. Default 10 s.
	Timeout time.Duration
	// Dial opens connections. Default: a net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Progress is called twice a second with what there is so far; nobody when nil.
	Progress func(Progress)
	// Each is called with what came of each request that was sent, by many goroutines at once; nobody when nil.
	Each func(Outcome)
}

// Outcome is what came of a request. Times count from Result.Started.
type Outcome struct {
	// Shape is an index into Source.Shapes.
	Shape           int
	Due, Sent, Done time.Duration
	// Problem as in Row.Errors; empty if the answer was right.
	Problem string
}

// Phase is a time with a rate, or with none.
type Phase struct {
	Name string
	// Duration of the phase.
	Duration time.Duration
	// From and To are the rates at its beginning and at its end, in requests a second. It goes from one to the other in a
	// straight line, or if there are Steps, in so many of equal length, From being the first one's rate and To the last one's.
	// At most MostRate each.
	// Both 0: as many requests as Load.Connections can, one after the other on each (a closed loop).
	From, To float64
	Steps    int
	// WarmUp leaves the phase out of the totals.
	WarmUp bool
}

// MostRate is the highest rate of a phase, in requests a second. It is more than one machine can send: a pacer that could not even
// count what is due would go on for long after the phase.
const MostRate = 1_000_000

// Arrivals is how requests are spaced.
type Arrivals int

const (
	// Poisson has them come independently of each other, as those of many users do.
	Poisson Arrivals = iota
	// Even has them come at equal distances.
	Even
)

// Protocol is the version of HTTP that is spoken.
type Protocol int

const (
	// HTTP1 is HTTP/1.1.
	HTTP1 Protocol = iota
	// HTTP2 is agreed upon by ALPN with TLS, and spoken without asking else.
	HTTP2
)

// Source makes requests. It is used by many goroutines.
type Source interface {
	// Shapes are the kinds of requests there are, which reports tell apart.
	Shapes() []Shape
	// Request makes the n-th request of a run, from 0, in r, whose memory it may use again. It is the same whenever n is.
	Request(n uint64, r *Request)
}

// Shape is a kind of request.
type Shape struct {
	Name string
	// Group, such as a tenant or a priority, is reported, too; empty for none.
	Group string
	// Check says what is wrong with an answer, in a few words that are the same each time, such as "status 503"; empty if nothing
	// is. It must not keep body. Nil takes the statuses 200 to 399 for right.
	Check func(status int, body []byte) string
}

// Request is one to send.
type Request struct {
	// Shape is an index into Shapes.
	Shape  int
	Method string
	// Path with its query, from the "/" on, percent-encoded.
	Path []byte
	// Header has neither Host, unless it is to be another one, nor Content-Length.
	Header []Field
	Body   []byte
}

// Field is a header field.
type Field struct{ Name, Value string }
