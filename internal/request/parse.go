package request

import (
	"net/http"
	"net/url"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// Parse reads the method, the URL and the headers of a request. It does not
// look at the body, nor does it know what exists; a method that the target has
// not is refused (PGRST101, PGRST117), one that the server does not serve yet
// is not.
//
// Every error is an *apierr.Error with a 4xx status: PGRST100 for a malformed
// query, PGRST103 for an impossible range, PGRST106 for an unknown schema,
// PGRST114, PGRST122 for preferences under handling=strict, PGRST125 for an
// invalid path, SLIP103 beyond the limits, SLIP115 for malformed entity tags, 22021 for bytes that are no text,
// 2201W and 2201X for a negative limit or offset of an embed.
//
// The strings of the result share memory with the URL and the headers.
func Parse(method string, u *url.URL, header http.Header, s Settings) (*Request, error) {
	r := &Request{Method: method}
	if err := r.parse(u, header, &s); err != nil {
		return nil, err
	}
	return r, nil
}

// parse checks in PostgREST's order, which decides what a request with several faults is told.
func (r *Request) parse(u *url.URL, header http.Header, s *Settings) *apierr.Error {
	if err := r.setTarget(u, s.RootSpec); err != nil {
		return err
	}
	if err := r.setSchema(header, s.Schemas); err != nil {
		return err
	}
	if err := r.checkMethod(); err != nil {
		return err
	}
	q := queryParser{parser: parser{q: &r.Query, limits: s.Limits.withDefaults()}}
	reading := r.Method == "GET" || r.Method == "HEAD"
	q.arguments = reading && r.Target == Function
	q.cursor = reading && r.Target == Relation
	if err := q.parse(u.RawQuery); err != nil {
		return err
	}
	if err := r.setWindow(header, q.window); err != nil {
		return err
	}
	r.setAccept(header["Accept"])
	r.setContentType(header["Content-Type"])
	r.Prefer = parsePreferences(header["Prefer"])
	if err := r.Prefer.check(); err != nil {
		return err
	}
	return r.setPreconditions(header)
}
