package auth

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// The codes and messages are PostgREST's, word for word: clients look at them
// (https://postgrest.org/en/stable/references/errors.html#group-3-jwt-errors).

// errNoSecret answers a token that nobody can check.
func errNoSecret() *apierr.Error { return apierr.New("PGRST300", "Server lacks JWT secret") }

// errAnonymous answers a caller without a role where there is no role for such.
func errAnonymous() *apierr.Error {
	e := apierr.New("PGRST302", "Anonymous access is disabled")
	e.Header = http.Header{"Www-Authenticate": {"Bearer"}}
	return e
}

// errDecode says that the token could not be read or its signature not be
// verified; details may be empty.
func errDecode(message, details string) *apierr.Error {
	e := invalidToken("PGRST301", message)
	if details != "" {
		e.Details = details
	}
	return e
}

// errClaims says that a genuine token may not be used here and now.
func errClaims(message string) *apierr.Error { return invalidToken("PGRST303", message) }

func errMalformed() *apierr.Error { return errDecode("JWT cryptographic operation failed", "") }

func errNoKey(details string) *apierr.Error {
	return errDecode("No suitable key or wrong key type", details)
}

func errAlgorithm(details string) *apierr.Error {
	return errDecode("Wrong or unsupported encoding algorithm", details)
}

// errNoKeysYet answers tokens until the first key set has been fetched. It says
// nothing of the cause: addresses of internal services do not concern clients.
func errNoKeysYet(retry time.Duration, cause error) *apierr.Error {
	e := apierr.New("SLIP300", "The keys that verify tokens are not available")
	seconds := max(1, int(math.Ceil(retry.Seconds())))
	e.Header = http.Header{"Retry-After": {strconv.Itoa(seconds)}}
	e.Cause = cause
	return e
}

// errReservedRole is what PostgreSQL says of a role that does not exist. "none"
// cannot exist there, and SET ROLE none would make the caller the login role.
func errReservedRole(role string) *apierr.Error {
	e := apierr.New("22023", `role "`+role+`" does not exist`)
	e.Status = http.StatusUnauthorized
	e.Header = http.Header{"Www-Authenticate": {"Bearer"}}
	return e
}

func invalidToken(code, message string) *apierr.Error {
	e := apierr.New(code, message)
	e.Header = http.Header{"Www-Authenticate": {
		`Bearer error="invalid_token", error_description="` + message + `"`,
	}}
	return e
}
