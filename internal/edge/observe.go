package edge

import (
	"net/http"
	"time"

	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// Middleware wraps a handler in another.
type Middleware = func(http.Handler) http.Handler

// Chain puts middleware around h; the first one sees the request first.
func Chain(h http.Handler, around ...Middleware) http.Handler {
	for i := len(around) - 1; i >= 0; i-- {
		h = around[i](h)
	}
	return h
}

// Observer is what Observe reports to. Every field may be nil.
type Observer struct {
	Metrics *telemetry.Metrics
	Access  *telemetry.AccessLog
	Tracer  *telemetry.Tracer
	// Draining says that answers should end their connection; see Server.Draining.
	Draining func() bool
}

// Observe gives a request its id and its telemetry.Request, and reports the answer to
// metrics, access log and trace. It belongs outside of all other middleware.
//
// The id is the client's X-Request-Id if that is sane, else a new one; the answer has it.
func Observe(o Observer) Middleware {
	ids := new(idSource)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			o.Metrics.RequestStarted()
			x := &exchange{observer: &o, started: time.Now(), in: r}
			x.out = recorder{ResponseWriter: w, draining: o.Draining}
			x.info.ID = r.Header.Get(requestIDHeader)
			if !saneID(x.info.ID) {
				x.info.ID = ids.next()
			}
			x.id[0] = x.info.ID
			w.Header()[requestIDHeader] = x.id[:]

			ctx, span := o.Tracer.StartRequest(r.Context(), r)
			x.span = span
			defer x.report()
			next.ServeHTTP(&x.out, r.WithContext(x.info.Bind(ctx)))
			x.completed = true
			if x.out.status == 0 { // net/http answers 200 for a handler that writes nothing
				x.out.lastOnConnection()
			}
		})
	}
}

// exchange is the state of one request, in one allocation. It is not pooled: a handler may
// leave a goroutine behind that still holds the context.
type exchange struct {
	observer  *Observer
	started   time.Time
	in        *http.Request
	out       recorder
	info      telemetry.Request
	span      telemetry.Span
	id        [1]string
	completed bool // the handler returned, without a panic
}

func (x *exchange) report() {
	took := time.Since(x.started)
	status := x.out.status
	if status == 0 && x.completed {
		status = http.StatusOK
	}
	if status == 0 {
		status = http.StatusInternalServerError // nothing was sent: the connection is cut
	}
	x.span.EndRequest(x.in.Method, &x.info, status)
	x.observer.Metrics.RequestDone(x.info.Route, x.in.Method, status, x.out.bytes, took)
	if !x.observer.Access.Enabled(status) {
		return
	}
	x.observer.Access.Log(&telemetry.Access{
		Time:      x.started,
		ID:        x.info.ID,
		Method:    x.in.Method,
		Path:      x.in.URL.EscapedPath(),
		Query:     x.in.URL.RawQuery,
		Status:    status,
		Bytes:     x.out.bytes,
		Took:      took,
		Remote:    x.in.RemoteAddr,
		UserAgent: x.in.UserAgent(),
		Role:      x.info.Role,
		Route:     x.info.Route,
		Code:      x.info.Code,
		Limit:     x.info.Limit, LimitDryRun: x.info.LimitDryRun,
		SQL:     x.info.SQL,
		TraceID: x.span.TraceID(),
		Aborted: !x.completed,
	})
}

// TraceHeader echoes the named request header in the answer, empty when the request has
// none: PostgREST's server-trace-header. An empty name does nothing.
func TraceHeader(name string) Middleware {
	return func(next http.Handler) http.Handler {
		if name == "" {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, r.Header.Get(name))
			next.ServeHTTP(w, r)
		})
	}
}
