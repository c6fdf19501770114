package rest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/internal/auth"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

var errNoCaller = errors.New("no verified caller in the request's context")

// ErrNoCatalog is the answer as long as no catalog could be loaded.
func ErrNoCatalog() *apierr.Error {
	return &apierr.Error{
		Code: "PGRST002", Message: "Could not query the database for the schema cache. Retrying.",
		Header: http.Header{"Retry-After": {"1"}},
	}
}

// fail answers with err. What is not made for clients is logged and answered with its id only.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(r.Context().Err(), context.DeadlineExceeded) {
		err = pg.ErrDeadline
	}
	if r.Context().Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, r.Context().Err())) {
		panic(http.ErrAbortHandler) // the client left; there is nobody to answer
	}
	info := telemetry.RequestFrom(r.Context())
	e := apierr.From(err)
	if e == nil {
		e = overloaded(err)
	}
	if e == nil {
		e = h.databaseError(r, err)
	}
	if e == nil {
		h.options.Logger.Error("request failed", "id", requestID(info), "error", err)
		e = &apierr.Error{
			Code: "SLIP500", Message: "An internal error occurred",
			Details: "The server's log has the cause under the id " + requestID(info) + ".",
		}
	}
	info.SetCode(e.Code)
	e.Write(w, r.Method == http.MethodHead, h.options.Verbosity)
}

// databaseError turns what package pg reports into a client's error, or nil if it is none of that.
func (h *Handler) databaseError(r *http.Request, err error) *apierr.Error {
	var answered *pg.Error
	var unreachable *pg.ConnectError
	var lost *pg.LostError
	var full *limit.BufferError
	retry := http.Header{"Retry-After": {"1"}}
	switch {
	case errors.As(err, &answered):
		return sqlError(answered, authenticated(r))
	case errors.Is(err, pg.ErrNoPrimary):
		h.options.Logger.Debug("no primary", "error", err)
		return &apierr.Error{
			Code: "SLIP221", Message: "The database has no primary at the moment",
			Details: "Nothing was written. Another server may be taking over.", Header: retry,
		}
	case errors.Is(err, pg.ErrDeadline), errors.Is(err, context.DeadlineExceeded):
		return &apierr.Error{Code: "SLIP222", Message: "The request was not done in the time that it had", Details: "Nothing was written."}
	case errors.As(err, &unreachable):
		h.options.Logger.Debug("database connection error", "error", err) // package pg has told it once, for all requests
		return &apierr.Error{Code: "PGRST000", Message: "Database connection error. Retrying the connection.", Header: retry}
	case errors.As(err, &lost) && lost.CommitUnknown:
		h.options.Logger.Error("database connection lost at COMMIT: whether it took effect is not known", "id", requestID(telemetry.RequestFrom(r.Context())), "error", err)
		return &apierr.Error{
			Code: "SLIP105", Message: "The database connection was lost while the write was being committed",
			Details: "It is not known whether the write took effect.",
			Hint:    "Look whether it did before sending it again.",
		} // no Retry-After: a blind retry could write twice
	case errors.As(err, &full):
		return noRoom(full, 2*full.Size)
	case errors.As(err, &lost):
		h.options.Logger.Warn("database connection lost", "error", err)
		return &apierr.Error{Code: "PGRST001", Message: "Database client error. Retrying the connection.", Header: retry}
	case errors.Is(err, pg.ErrAcquireTimeout):
		return apierr.New("PGRST003", "Timed out acquiring connection from connection pool.")
	case errors.Is(err, pg.ErrClosed):
		return &apierr.Error{Code: "PGRST001", Message: "The server is not running or is shutting down.", Header: retry}
	}
	return nil
}

// sqlError renders an error that the server raised. The pair code and message decides the status where a code has
// several meanings (https://postgrest.org/en/stable/references/errors.html#http-status-codes).
func sqlError(e *pg.Error, authenticated bool) *apierr.Error {
	if e.Code == "PGRST" {
		return raised(e)
	}
	out := &apierr.Error{Code: e.Code, Message: e.Message, Hint: e.Hint, Status: apierr.StatusOf(e.Code, authenticated)}
	if e.Detail != "" {
		out.Details = e.Detail
	}
	switch e.Code {
	case "21000":
		if strings.HasSuffix(e.Message, "requires a WHERE clause") {
			out.Status = http.StatusBadRequest // pg-safeupdate
		}
	case "22023":
		if strings.HasPrefix(e.Message, "role") && strings.HasSuffix(e.Message, "does not exist") {
			out.Status = http.StatusUnauthorized // the token names a role that there is not
		}
	case "42883":
		if strings.HasPrefix(e.Message, "function xmlagg(") {
			out.Status = http.StatusNotAcceptable
		}
	}
	switch out.Status {
	case http.StatusUnauthorized:
		out.Header = http.Header{"Www-Authenticate": {"Bearer"}}
	case http.StatusServiceUnavailable:
		out.Header = http.Header{"Retry-After": {"1"}}
	}
	return out
}

// notSingular is the answer when one object was asked for and the result has n rows.
func notSingular(n int64) error {
	return &apierr.Error{
		Code: "PGRST116", Message: "Cannot coerce the result to a single JSON object",
		Details: "The result contains " + strconv.FormatInt(n, 10) + " rows",
	}
}

// authenticated reports whether the caller's role is another than the anonymous one.
func authenticated(r *http.Request) bool {
	c := auth.CallerFrom(r.Context())
	return c != nil && !c.AnonRole
}

func requestID(info *telemetry.Request) string {
	if info == nil {
		return "unknown"
	}
	return info.ID
}
