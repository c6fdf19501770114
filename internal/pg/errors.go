package pg

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// ErrClosed is returned before Run and after its end.
var ErrClosed = errors.New("the connection pool is not running")

// ErrAcquireTimeout is returned when no connection became free within AcquireTimeout.
var ErrAcquireTimeout = errors.New("no connection became free in time")

// ErrThrottled is returned for part of the requests while the server fails to answer most.
var ErrThrottled = errors.New("the server fails to answer most requests")

// Error is what the server answered instead of a result.
type Error struct {
	// Code is the SQLSTATE.
	Code                  string
	Message, Detail, Hint string
	// Routine is the server's function that raised it.
	Routine string
}

// raised tells errors of RAISE in PL/pgSQL, which can have any code: it says nothing about the server.
func (e *Error) raised() bool { return e.Routine == "exec_stmt_raise" }

func (e *Error) Error() string { return e.Message + " (SQLSTATE " + e.Code + ")" }

// ConnectError means that no connection could be opened.
type ConnectError struct{ Err error }

func (e *ConnectError) Error() string { return "connect to the database: " + e.Err.Error() }

func (e *ConnectError) Unwrap() error { return e.Err }

// BadPassword reports whether the server did not accept the password: trying again does not help.
func (e *ConnectError) BadPassword() bool {
	var answered *pgconn.PgError
	return errors.As(e.Err, &answered) && answered.Code == "28P01"
}

// answered reports whether a server was there and refused, for a reason that is neither a start nor an end of it.
func (e *ConnectError) answered() bool {
	var answered *pgconn.PgError
	return errors.As(e.Err, &answered) && !strings.HasPrefix(answered.Code, "57P")
}

// Overloaded reports whether the server has refused for want of connections, memory or the like (class 53): to ask again soon
// makes it worse.
func Overloaded(err error) bool {
	var connecting *pgconn.PgError
	if errors.As(err, &connecting) {
		return strings.HasPrefix(connecting.Code, "53")
	}
	var answered *Error
	return errors.As(err, &answered) && strings.HasPrefix(answered.Code, "53")
}

// LostError means that a connection broke while it was in use, or that the server ended the session.
type LostError struct {
	Err error
	// CommitUnknown is true when the connection broke after COMMIT was sent: nobody knows whether it took effect.
	CommitUnknown bool
}

func (e *LostError) Error() string { return "database connection lost: " + e.Err.Error() }

func (e *LostError) Unwrap() error { return e.Err }

// serverError turns pgx's errors into this package's. What is no error of the server or of the connection, such as
// one of a callback, stays as it is.
func serverError(err error) error {
	var answered *pgconn.PgError
	if !errors.As(err, &answered) {
		return err
	}
	if sessionEnded(answered.SeverityUnlocalized) {
		return &LostError{Err: answered}
	}
	return &Error{
		Code: answered.Code, Message: answered.Message, Detail: answered.Detail, Hint: answered.Hint, Routine: answered.Routine,
	}
}

// answerError is serverError for the answer of a trip.
func answerError(m *pgproto3.ErrorResponse) error {
	if sessionEnded(m.SeverityUnlocalized) {
		return &LostError{Err: pgconn.ErrorResponseToPgError(m)}
	}
	return &Error{Code: m.Code, Message: m.Message, Detail: m.Detail, Hint: m.Hint, Routine: m.Routine}
}

// sessionEnded tells errors after which the server closes the connection: a shutdown, pg_terminate_backend, a timeout
// of idle sessions.
func sessionEnded(severity string) bool { return severity == "FATAL" || severity == "PANIC" }

// ended reports whether a context's end is the cause.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// HideDSN takes the connection string out of an error about it: it may hold a password.
func HideDSN(err error) error { return hideDSN(err) }

// hideDSN keeps what pgx says is wrong with a connection string, without the string.
func hideDSN(err error) error {
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) {
		return err
	}
	const advice = "cannot be parsed; give postgres://user:password@host:port/database, with special characters percent-encoded, or key=value pairs"
	text := parse.Error() // "cannot parse `postgres://…`: what is wrong"
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		return errors.New(advice + ": " + text[i+len("`: "):])
	}
	return errors.New(advice)
}
