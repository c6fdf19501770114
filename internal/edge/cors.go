package edge

import (
	"net/http"
	"slices"
	"strings"
)

const (
	corsMethods = "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD"
	corsMaxAge  = "86400" // seconds: a day
	corsExposed = "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit, ETag"
)

// CORS answers preflight requests and marks answers for browsers, as PostgREST does
// (https://postgrest.org/en/stable/references/api/cors.html). Without origins, any origin may read, without credentials;
// else those listed may, with credentials, and the others get no CORS headers.
// "*" in the list is the same as no list. What is exposed comes after the header fields that PostgREST lets programs read.
func CORS(origins []string, exposed ...string) Middleware {
	expose := strings.Join(append([]string{corsExposed}, exposed...), ", ")
	if slices.Contains(origins, "*") {
		origins = nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			origin := r.Header.Get("Origin")
			applies := origin != "" && !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
				(len(origins) == 0 || slices.Contains(origins, origin))
			switch {
			case !applies:
				next.ServeHTTP(w, r)
			case r.Method == http.MethodOptions:
				preflight(w, r, origin, len(origins) > 0, next)
			default:
				allowOrigin(w.Header(), origin, len(origins) > 0)
				w.Header().Set("Access-Control-Expose-Headers", expose)
				next.ServeHTTP(w, r)
			}
		})
	}
}

// preflight leaves an OPTIONS request that asks for no method, or for one that is not
// served, to the handler, which describes the resource.
func preflight(w http.ResponseWriter, r *http.Request, origin string, listed bool, next http.Handler) {
	wanted, known := r.Header.Get("Access-Control-Request-Headers"), false
	for method := range strings.SplitSeq(corsMethods, ", ") {
		known = known || method == r.Header.Get("Access-Control-Request-Method")
	}
	headers, ok := allowedHeaders(wanted)
	if !known || !ok {
		next.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	allowOrigin(h, origin, listed)
	h.Set("Access-Control-Allow-Methods", corsMethods)
	if _, asked := r.Header["Access-Control-Request-Headers"]; asked {
		h.Set("Access-Control-Allow-Headers", headers)
	}
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusOK)
}

func allowOrigin(h http.Header, origin string, listed bool) {
	if !listed {
		h.Set("Access-Control-Allow-Origin", "*")
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
}

// allowedHeaders allows every header asked for, around those that are always allowed.
// It is false for what is not a list of header names.
func allowedHeaders(wanted string) (string, bool) {
	list := []string{"Authorization"}
	for name := range strings.SplitSeq(wanted, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !isToken(name) {
			return "", false
		}
		list = append(list, name)
	}
	for _, name := range []string{"Accept", "Accept-Language", "Content-Language"} {
		if !slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) }) {
			list = append(list, name)
		}
	}
	return strings.Join(list, ", "), true
}

// isToken follows RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return true
}
