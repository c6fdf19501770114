package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrClosed is returned before Run and after its end.
var ErrClosed = errors.New("the connection pool is not running")

// ErrAcquireTimeout is returned when no connection became free within AcquireTimeout.
var ErrAcquireTimeout = errors.New("no connection became free in time")

// Error is what the server answered instead of a result.
type Error struct {
	// Code is the SQLSTATE.
	Code                  string
	Message, Detail, Hint string
	// Routine is the server's function that raised it.
	Routine string
}

func (e *Error) Error() string { return e.Message + " (SQLSTATE " + e.Code + ")" }

// ConnectError means that no connection could be opened.
type ConnectError struct{ Err error }

func (e *ConnectError) Error() string { return "connect to the database: " + e.Err.Error() }

func (e *ConnectError) Unwrap() error { return e.Err }

// LostError means that a connection broke while it was in use.
type LostError struct{ Err error }

func (e *LostError) Error() string { return "database connection lost: " + e.Err.Error() }

func (e *LostError) Unwrap() error { return e.Err }

// serverError turns pgx's errors into this package's.
func serverError(err error) error {
	if err == nil {
		return nil
	}
	var answered *pgconn.PgError
	var own interface{ isOwn() }
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &answered):
		return &Error{Code: answered.Code, Message: answered.Message, Detail: answered.Detail, Hint: answered.Hint, Routine: answered.Routine}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &LostError{err}
}

func (e *Error) isOwn()        {}
func (e *ConnectError) isOwn() {}
func (e *LostError) isOwn()    {}

// shuttingDown reports whether the server ended the session by itself: administrator command, crash, not yet up.
func (e *Error) shuttingDown() bool {
	return e.Code == "57P01" || e.Code == "57P02" || e.Code == "57P03"
}

// staleStatement reports whether a prepared statement was lost or no longer fits the catalog.
func (e *Error) staleStatement() bool {
	return e.Code == "26000" || e.Code == "0A000" && e.Routine == "RevalidateCachedQuery"
}
