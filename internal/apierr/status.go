package apierr

import (
	"net/http"
	"strconv"
	"strings"
)

// own is the status of every PGRST and SLIP code
// (https://postgrest.org/en/stable/references/errors.html#postgrest-error-codes).
var own = map[string]int{
	"PGRST000": http.StatusServiceUnavailable,
	"PGRST001": http.StatusServiceUnavailable,
	"PGRST002": http.StatusServiceUnavailable,
	"PGRST003": http.StatusGatewayTimeout,
	"PGRST100": http.StatusBadRequest,
	"PGRST101": http.StatusMethodNotAllowed,
	"PGRST102": http.StatusBadRequest,
	"PGRST103": http.StatusRequestedRangeNotSatisfiable,
	"PGRST105": http.StatusMethodNotAllowed,
	"PGRST106": http.StatusNotAcceptable,
	"PGRST107": http.StatusNotAcceptable,
	"PGRST108": http.StatusBadRequest,
	"PGRST111": http.StatusInternalServerError,
	"PGRST112": http.StatusInternalServerError,
	"PGRST114": http.StatusBadRequest,
	"PGRST115": http.StatusBadRequest,
	"PGRST116": http.StatusNotAcceptable,
	"PGRST117": http.StatusMethodNotAllowed,
	"PGRST118": http.StatusBadRequest,
	"PGRST120": http.StatusBadRequest,
	"PGRST121": http.StatusInternalServerError,
	"PGRST122": http.StatusBadRequest,
	"PGRST123": http.StatusBadRequest,
	"PGRST124": http.StatusBadRequest,
	"PGRST125": http.StatusNotFound,
	"PGRST126": http.StatusNotFound,
	"PGRST127": http.StatusBadRequest,
	"PGRST128": http.StatusBadRequest,
	"PGRST200": http.StatusBadRequest,
	"PGRST201": http.StatusMultipleChoices,
	"PGRST202": http.StatusNotFound,
	"PGRST203": http.StatusMultipleChoices,
	"PGRST204": http.StatusBadRequest,
	"PGRST205": http.StatusNotFound,
	"PGRST300": http.StatusInternalServerError,
	"PGRST301": http.StatusUnauthorized,
	"PGRST302": http.StatusUnauthorized,
	"PGRST303": http.StatusUnauthorized,
	"SLIP100":  http.StatusBadRequest,                  // cursor that cannot be used
	"SLIP101":  http.StatusRequestHeaderFieldsTooLarge, // headers over the limit
	"SLIP102":  http.StatusRequestURITooLong,           // URL over the limit
	"SLIP103":  http.StatusBadRequest,                  // query too complex
	"SLIP104":  http.StatusRequestEntityTooLarge,       // body over the limit
	"SLIP105":  http.StatusServiceUnavailable,          // connection lost at COMMIT, outcome unknown
	"SLIP106":  http.StatusBadRequest,                  // limit that cannot choose rows to write
	"SLIP107":  http.StatusServiceUnavailable,          // too many streams
	"SLIP108":  http.StatusPreconditionFailed,          // If-Match or If-None-Match does not hold
	"SLIP109":  http.StatusBadRequest,                  // batch that cannot be read
	"SLIP110":  http.StatusBadRequest,                  // refused by a guard of the relation
	"SLIP111":  http.StatusConflict,                    // idempotency key in flight
	"SLIP112":  http.StatusUnprocessableEntity,         // idempotency key of another request
	"SLIP113":  http.StatusBadRequest,                  // idempotency key that cannot be used
	"SLIP114":  http.StatusFailedDependency,            // undone, as another operation of the batch has failed
	"SLIP115":  http.StatusBadRequest,                  // If-Match or If-None-Match that cannot be used
	"SLIP116":  http.StatusConflict,                    // idempotency key whose answer was too large to be kept
	"SLIP117":  http.StatusBadRequest,                  // purge or question about the cache that cannot be understood
	"SLIP200":  http.StatusServiceUnavailable,          // refused under overload
	"SLIP201":  http.StatusServiceUnavailable,          // switched off under overload
	"SLIP202":  http.StatusServiceUnavailable,          // the database fails to answer
	"SLIP210":  http.StatusTooManyRequests,             // a rate limit is used up
	"SLIP211":  http.StatusServiceUnavailable,          // rate limits cannot be asked, and are closed then
	"SLIP230":  http.StatusServiceUnavailable,          // no room in memory for a body or an answer
	"SLIP231":  http.StatusBadRequest,                  // answer that is larger than there ever is room for
	"SLIP232":  http.StatusServiceUnavailable,          // too many connections
	"SLIP233":  http.StatusRequestTimeout,              // body that came too slowly
	"SLIP234":  http.StatusServiceUnavailable,          // memory is short
	"SLIP220":  http.StatusServiceUnavailable,          // no replica to read from, and the primary has enough to do
	"SLIP221":  http.StatusServiceUnavailable,          // no primary
	"SLIP222":  http.StatusGatewayTimeout,              // the request's deadline has come
	"SLIP300":  http.StatusServiceUnavailable,          // no JWK set could be fetched yet
	"SLIP500":  http.StatusInternalServerError,         // unclassified; the log has the cause
}

// Unavailable reports whether a code says that the database, or the way to it, has failed or has more to do than it can: the same request may succeed
// later. 53 is insufficient_resources, 57P operator_intervention
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func Unavailable(code string) bool {
	switch code {
	case "PGRST000", "PGRST001", "PGRST002", "PGRST003", "SLIP200", "SLIP201", "SLIP202", "SLIP220", "SLIP221":
		return true
	}
	return len(code) == 5 && (strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P"))
}

// StatusOf gives a code its HTTP status. authenticated decides between 401 and
// 403 for SQLSTATE 42501: a caller without a token may still get one.
func StatusOf(code string, authenticated bool) int {
	if s, ok := own[code]; ok {
		return s
	}
	if len(code) == 5 {
		return sqlState(code, authenticated)
	}
	return http.StatusInternalServerError
}

// sqlState follows PostgREST's table of SQLSTATE to HTTP status
// (https://postgrest.org/en/stable/references/errors.html#http-status-codes).
func sqlState(code string, authenticated bool) int {
	switch code {
	case "23503", "23505":
		return http.StatusConflict
	case "25006":
		return http.StatusMethodNotAllowed
	case "21000":
		return http.StatusInternalServerError
	case "22023":
		return http.StatusBadRequest
	case "42883":
		return http.StatusNotFound
	case "42P01":
		return http.StatusNotFound
	case "42P17":
		return http.StatusInternalServerError
	case "42501":
		if authenticated {
			return http.StatusForbidden
		}
		return http.StatusUnauthorized
	case "55P03": // lock_not_available: somebody else has it, for now
		return http.StatusServiceUnavailable
	case "53400":
		return http.StatusInternalServerError
	case "P0001":
		return http.StatusBadRequest
	case "57P01":
		return http.StatusServiceUnavailable
	}
	switch {
	case strings.HasPrefix(code, "PT"):
		if n, err := strconv.Atoi(code[2:]); err == nil && n >= 200 && n <= 599 {
			return n
		}
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "08"):
		return http.StatusServiceUnavailable
	case strings.HasPrefix(code, "09"):
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "0L"), strings.HasPrefix(code, "0P"):
		return http.StatusForbidden
	case strings.HasPrefix(code, "25"), strings.HasPrefix(code, "2D"):
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "28"):
		return http.StatusForbidden
	case strings.HasPrefix(code, "38"), strings.HasPrefix(code, "39"), strings.HasPrefix(code, "3B"):
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "40"):
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "53"):
		return http.StatusServiceUnavailable
	case strings.HasPrefix(code, "54"):
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "55"):
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "57"):
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "58"), strings.HasPrefix(code, "F0"), strings.HasPrefix(code, "HV"),
		strings.HasPrefix(code, "P0"), strings.HasPrefix(code, "XX"):
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
