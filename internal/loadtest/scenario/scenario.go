package scenario

import (
	"time"

	"github.com/slipstream-go/slipstream/internal/loadtest"
)

// Scenario is what a load test sends, as a scenario file says it. Zero fields are the defaults of loadtest.Load. Texts that
// are called templates have ${name} where a variable's value goes, and $${ for a plain ${.
type Scenario struct {
	// Target is http or https and a host; its path goes before those of requests.
	Target string
	// Seed makes arrivals and values repeatable: the n-th request is the same in each run with the same seed.
	Seed           uint64
	Arrivals       loadtest.Arrivals
	MaxConnections int
	Protocol       loadtest.Protocol
	// Timeout of an answer.
	Timeout   time.Duration
	Variables []Variable
	// Headers of all requests; one of a request's own goes before one of the same name.
	Headers  []Header
	Phases   []Phase
	Requests []Request
}

// Header is a field of the header. Value is a template.
type Header struct{ Name, Value string }

// Phase is a time with a rate, or without one and with Connections instead, on each of which one request follows the other.
// All phases with Connections have the same number.
type Phase struct {
	loadtest.Phase
	Connections int
}

// Request is a kind of request.
type Request struct {
	// Name in reports. Default: the method and the path.
	Name string
	// Weight is how often it is sent in proportion to the others. Default 1.
	Weight uint64
	// Group is a template with at most one variable, a List of at most maxGroups values.
	Group string
	// Method is GET by default, POST if there is a body.
	Method string
	// Path with its query, a template. Values are percent-encoded; so is what cannot stand in a URL, such as a space.
	Path    string
	Headers []Header
	// Body is a template. Without a Content-Type it is JSON: there, ${name} between quotes is the inside of a JSON string, and
	// elsewhere a whole JSON value. In a form, values are percent-encoded; in all else they stand as they are.
	Body string
	// BodyFile is sent as it is, instead of Body. Relative to the scenario's directory.
	BodyFile string
	Expect   Expect
}

// Expect says which answers are right.
type Expect struct {
	// Status has the right ones. Default: 200 to 399.
	Status []StatusRange
	// Contains is what the body must have in it.
	Contains string
	// JSON asks for a body that is JSON.
	JSON bool
}

// StatusRange is From to To, both included.
type StatusRange struct{ From, To int }

// maxGroups bounds the groups that one request makes, as each has rows in reports.
const maxGroups = 100
