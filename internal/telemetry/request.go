package telemetry

import "context"

// Request collects what log, metrics and trace want to know of one request.
//
// The edge makes one per request and binds it to the context; the handlers below fill
// in what they learn. It belongs to the goroutine that serves the request. All methods
// may be called on a nil *Request, so a handler needs no edge around it to be tested.
type Request struct {
	// ID names the request in the answer, the log and error messages.
	ID string
	// Route is the relation or function that was asked for, empty while unknown.
	Route string
	// Role is the database role the request ran as, empty for none.
	Role string
	// Code is the error code that the client got, empty for none.
	Code string
	// Limit names the rate limits that refuse the request, and LimitDryRun those that would; separated by commas.
	Limit, LimitDryRun string
	// SQL are the statements of the request, separated by semicolons; empty unless they are to be logged.
	SQL string
	// Timing is the source of the Server-Timing header.
	Timing Timing

	link requestContext
}

// SetRoute names the relation or function. Only names that exist belong here: it becomes
// a metric label and the name of the trace span.
func (r *Request) SetRoute(route string) {
	if r != nil {
		r.Route = route
	}
}

// SetRole names the database role that the request runs as.
func (r *Request) SetRole(role string) {
	if r != nil {
		r.Role = role
	}
}

// SetCode notes the error code that the client gets.
func (r *Request) SetCode(code string) {
	if r != nil {
		r.Code = code
	}
}

// AddLimit notes a rate limit that refuses the request, or would.
func (r *Request) AddLimit(policy string, dryRun bool) {
	if r == nil {
		return
	}
	names := &r.Limit
	if dryRun {
		names = &r.LimitDryRun
	}
	if *names != "" {
		*names += ","
	}
	*names += policy
}

// AddSQL notes a statement for the log.
func (r *Request) AddSQL(sql string) {
	switch {
	case r == nil:
	case r.SQL == "":
		r.SQL = sql
	default:
		r.SQL += "; " + sql
	}
}

// StartTiming begins the first phase of Server-Timing.
func (r *Request) StartTiming() {
	if r != nil {
		r.Timing.Start()
	}
}

// MarkTiming ends a phase of Server-Timing and begins the next.
func (r *Request) MarkTiming(p Phase) {
	if r != nil {
		r.Timing.Mark(p)
	}
}

// ServerTiming ends the last phase and gives the header's value, or nothing when no timing was started.
func (r *Request) ServerTiming() string {
	if r == nil || r.Timing.last.IsZero() {
		return ""
	}
	r.Timing.Mark(PhaseResponse)
	return r.Timing.Header()
}

// Bind returns ctx carrying r. The link is a field of r, so that binding, done for
// every request, allocates nothing; a Request is bound once.
func (r *Request) Bind(ctx context.Context) context.Context {
	r.link = requestContext{Context: ctx, request: r}
	return &r.link
}

// RequestFrom returns the Request bound to ctx, or nil.
func RequestFrom(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

type requestKey struct{}

type requestContext struct {
	context.Context
	request *Request
}

func (c *requestContext) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return c.request
	}
	return c.Context.Value(key)
}
