package apierr

import (
	"net/http"
	"strconv"
	"strings"
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
	h.Set("Proxy-Status", proxyStatus(e.Code))
	w.WriteHeader(e.HTTPStatus())
	if !head {
		_, _ = w.Write(body) // a client that went away is no error of ours
	}
}

// CodeIn is the code of the error that was written with a header, or empty.
func CodeIn(h http.Header) string {
	_, code, _ := strings.Cut(h.Get("Proxy-Status"), "PostgREST; error=")
	return code
}

// proxyStatus is PostgREST's Proxy-Status (RFC 9209). A code that a database function made up (RAISE SQLSTATE 'PGRST') may
// be any text; what a header cannot hold is left out.
func proxyStatus(code string) string {
	if code == "" || strings.ContainsFunc(code, func(r rune) bool {
		return (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') && !strings.ContainsRune("_-.:/*", r)
	}) {
		return "PostgREST"
	}
	return "PostgREST; error=" + code
}
