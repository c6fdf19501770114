package edge

import (
	"net/http"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/telemetry"
)

// WriteError answers with e in PostgREST's envelope, and notes its code for the access log.
// It must come before anything of the answer is written.
func WriteError(w http.ResponseWriter, r *http.Request, e *apierr.Error, v apierr.Verbosity) {
	telemetry.RequestFrom(r.Context()).SetCode(e.Code)
	e.Write(w, r.Method == http.MethodHead, v)
}
