package apierr

import (
	"net/http"
	"strconv"
)

// Write answers with e's envelope. Nothing of the answer may have been written before.
func (e *Error) Write(w http.ResponseWriter, head bool, v Verbosity) {
	body := e.JSON(v)
	h := w.Header()
	for name, values := range e.Header {
		h[name] = values
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Proxy-Status", "PostgREST; error="+e.Code)
	w.WriteHeader(e.HTTPStatus())
	if !head {
		_, _ = w.Write(body) // a client that went away is no error of ours
	}
}
