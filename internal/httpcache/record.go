package httpcache

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/auth"
)

// recorder takes an answer, or lets it pass when it turns out not to be one to keep.
type recorder struct {
	http.ResponseWriter
	header  http.Header // of the answer alone
	caller  *auth.Caller
	status  []string // Cache-Status of an answer that passes
	most    int
	code    int
	body    []byte
	passing bool
}

func (w *recorder) Header() http.Header { return w.header }

// Unwrap lets http.ResponseController find the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader decides by the status and the announced size whether the answer can be one to keep.
func (w *recorder) WriteHeader(code int) {
	if w.code != 0 || code < 200 {
		return
	}
	w.code = code
	size, err := strconv.Atoi(w.header.Get("Content-Length"))
	if err == nil && size <= w.most {
		w.body = make([]byte, 0, size)
	}
	if err == nil && size > w.most || !keepable(code) {
		w.pass()
	}
}

// keepable are the statuses of answers that hold until what they depend on changes: rows, or that there are none.
func keepable(code int) bool {
	switch code {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotAcceptable, http.StatusRequestedRangeNotSatisfiable:
		return true
	}
	return false
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.passing && len(w.body)+len(b) > w.most {
		w.pass()
	}
	if w.passing {
		return w.ResponseWriter.Write(b)
	}
	w.body = append(w.body, b...)
	return len(b), nil
}

// pass sends what there is, and all that follows, as it is.
func (w *recorder) pass() {
	if w.passing {
		return
	}
	w.passing = true
	header := w.ResponseWriter.Header()
	if w.status != nil {
		header["Cache-Status"] = w.status
	}
	header["Cache-Control"] = control(w.caller)
	merge(header, w.header)
	if w.code == 0 {
		w.code = http.StatusOK
	}
	w.ResponseWriter.WriteHeader(w.code)
	if len(w.body) > 0 {
		_, _ = w.ResponseWriter.Write(w.body) // a client that went away is no error of ours
		w.body = nil
	}
}

// merge adds fields to a header; of those that are there, Vary gets more lines and the others are replaced.
func merge(to, from http.Header) {
	for name, values := range from {
		if name == "Vary" {
			values = append(slices.Clip(to[name]), values...)
		}
		to[name] = values
	}
}

// answer makes what was recorded one to keep, or nil. It shares no memory with what the source has made, which may hang on
// to all of the request.
func (w *recorder) answer() *answer {
	if !keepable(w.code) {
		return nil
	}
	if _, ok := w.header["Set-Cookie"]; ok {
		return nil // meant for this one client
	}
	a := &answer{status: w.code}
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		switch name {
		case "Content-Length", "Etag", "Vary", "Server-Timing", "Date", "Connection":
		default:
			a.fields = append(a.fields, field{name, slices.Clone(w.header[name])})
		}
	}
	a.vary = slices.Concat(w.header["Vary"], []string{"Accept-Encoding"})
	if cap(w.body) > len(w.body) {
		w.body = slices.Clip(bytes.Clone(w.body))
	}
	a.setBody(w.body, w.header.Get("Etag"))
	return a
}
