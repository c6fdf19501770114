package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// Recover turns a panic into a 500 with an id, under which log has the value and the stack.
// When the answer has already begun, the connection is cut instead: a half answer must not
// look whole. http.ErrAbortHandler passes through. It belongs inside Observe.
func Recover(log *slog.Logger, v apierr.Verbosity) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				cause := recover()
				if cause == nil {
					return
				}
				if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(cause)
				}
				id := logPanic(log, r, cause)
				if answered(w) {
					panic(http.ErrAbortHandler)
				}
				dropAnswer(w.Header())
				WriteError(w, r, internalError(id), v)
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// dropAnswer removes what the handler said of the answer it did not give. Browsers still
// need the CORS headers to show the error to their script, and a connection that is to end still is.
func dropAnswer(h http.Header) {
	for name := range h {
		if name != requestIDHeader && name != "Connection" && !strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
}

func internalError(id string) *apierr.Error {
	e := apierr.New("SLIP500", "An internal error occurred")
	e.Details = "The server's log has the cause under the id " + id
	return e
}

// logPanic returns the id it logged under: the request's, or a new one without Observe.
func logPanic(log *slog.Logger, r *http.Request, cause any) string {
	var id string
	if req := telemetry.RequestFrom(r.Context()); req != nil {
		id = req.ID
	} else {
		id = new(idSource).next()
	}
	log.ErrorContext(r.Context(), "panic while serving a request",
		slog.String("id", id),
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.String("panic", fmt.Sprint(cause)),
		slog.String("stack", string(debug.Stack())))
	return id
}
