package edge

import (
	"fmt"
	"net/http"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// Limits bound what a client may send ahead of a body. Zero fields are the defaults.
type Limits struct {
	// URLBytes is the longest request target. Default 64 KiB: clients put long lists of
	// ids into filters.
	URLBytes int
	// HeaderBytes is the most that names and values of all headers may take. Default 64 KiB.
	HeaderBytes int
	// HeaderCount is the most header lines. Default 200.
	HeaderCount int
}

// WithDefaults fills the zero fields.
func (l Limits) WithDefaults() Limits {
	if l.URLBytes <= 0 {
		l.URLBytes = 64 << 10
	}
	if l.HeaderBytes <= 0 {
		l.HeaderBytes = 64 << 10
	}
	if l.HeaderCount <= 0 {
		l.HeaderCount = 200
	}
	return l
}

// Limit refuses what is over the limits: 414 SLIP102 for the URL, 431 SLIP101 for headers. It also has connections end whose next
// request might be a part of this one; what answers before Limit does not see to that.
func Limit(l Limits, v apierr.Verbosity) Middleware {
	l = l.WithDefaults()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if unclear(r) {
				w.Header().Set("Connection", "close")
			}
			if e := l.check(r); e != nil {
				WriteError(w, r, e, v)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// unclear reports whether a proxy in front may have seen another end of r than net/http, so that what follows on its connection
// must not be taken for the next request (RFC 9112, section 6.1). With a Transfer-Encoding there may have been a Content-Length, too,
// which net/http hides from us; of HTTP/1.0 it hides and ignores any Transfer-Encoding.
func unclear(r *http.Request) bool {
	return r.ProtoMajor == 1 && (len(r.TransferEncoding) > 0 || r.ProtoMinor == 0)
}

func (l Limits) check(r *http.Request) *apierr.Error {
	if n := len(r.RequestURI); n > l.URLBytes {
		return tooLarge("SLIP102", "The URL is too long", fmt.Sprintf("It has %d bytes; the limit is %d", n, l.URLBytes))
	}
	size, count := 0, 0
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
		count += len(values)
	}
	if count > l.HeaderCount {
		return tooLarge("SLIP101", "Too many request headers", fmt.Sprintf("There are %d; the limit is %d", count, l.HeaderCount))
	}
	if size > l.HeaderBytes {
		return tooLarge("SLIP101", "The request headers are too large", fmt.Sprintf("They have %d bytes; the limit is %d", size, l.HeaderBytes))
	}
	return nil
}

func tooLarge(code, message, details string) *apierr.Error {
	e := apierr.New(code, message)
	e.Details = details
	return e
}

// hardLimit is where net/http itself gives up, with a plain 431: high enough that Limit,
// which explains itself, comes first for all but hostile clients.
func (l Limits) hardLimit() int { return 4 * (l.URLBytes + l.HeaderBytes) }
