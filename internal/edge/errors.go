package edge

import (
	"net/http"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// WriteError answers with e in PostgREST's envelope, and notes its code for the access log.
// It must come before anything of the answer is written.
func WriteError(w http.ResponseWriter, r *http.Request, e *apierr.Error, v apierr.Verbosity) {
	telemetry.RequestFrom(r.Context()).SetCode(e.Code)
	body := e.JSON(v)
	h := w.Header()
	for name, values := range e.Header {
		h[name] = values
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Proxy-Status", "PostgREST; error="+e.Code)
	w.WriteHeader(e.HTTPStatus())
	if r.Method != http.MethodHead {
		// A client that went away is no error of ours.
		_, _ = w.Write(body)
	}
}
