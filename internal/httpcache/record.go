package httpcache

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

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
	size    int // announced by Content-Length, or unsaid
	body    []byte
	passing bool
	passes  func() // called when the answer turns out not to be kept
}

const unsaid = -1

func (w *recorder) Header() http.Header { return w.header }

// Unwrap lets http.ResponseController find the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader decides by the status and the announced size whether the answer can be one to keep.
func (w *recorder) WriteHeader(code int) {
	if w.code != 0 || code < 200 {
		return
	}
	w.code = code
	w.size = unsaid
	if length := w.header.Get("Content-Length"); length != "" {
		size, err := strconv.Atoi(length)
		if err != nil || size < 0 || size > w.most {
			w.pass()
			return
		}
		w.size, w.body = size, make([]byte, 0, size)
	}
	if !keepable(code) || !shareable(w.header) {
		w.pass()
	}
}

// shareable reports whether every field of an answer is about the answer. Others may be meant for one client or connection,
// such as Set-Cookie; so an answer that has one that is not known here is not kept.
func shareable(header http.Header) bool {
	for name := range header {
		switch name {
		case "Content-Type", "Content-Range", "Content-Location", "Content-Profile", "Content-Language", "Link",
			"Preference-Applied", "Proxy-Status", "Warning":
		case "Content-Length", "Etag", "Vary", "Server-Timing": // have another value, or none, in a hit
		default:
			return false
		}
	}
	return true
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

// FlushError is what http.ResponseController looks for: who flushes wants the client to have it now.
func (w *recorder) FlushError() error {
	if w.code == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.pass()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// pass sends what there is, and all that follows, as it is.
func (w *recorder) pass() {
	if w.passing {
		return
	}
	w.passing = true
	w.passes()
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
	if w.code == 0 || w.size != unsaid && w.size != len(w.body) {
		return nil // nothing was answered, or not all of it
	}
	a := &answer{status: w.code}
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		switch name {
		case "Content-Length", "Etag", "Vary", "Server-Timing":
		default:
			a.fields = append(a.fields, field{name, kept(w.header[name])})
		}
	}
	a.vary = append(kept(w.header["Vary"]), "Accept-Encoding")
	body := w.body
	if cap(body) > len(body)+len(body)/8 {
		body = bytes.Clone(body)
	}
	a.setBody(slices.Clip(body), w.header.Get("Etag"))
	return a
}

// kept copies the values of a field, which may be a small part of something large of the source's.
func kept(values []string) []string {
	out := make([]string, len(values), len(values)+1)
	for i, v := range values {
		out[i] = strings.Clone(v)
	}
	return out
}
