package apierr

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Error is a refusal or failure as the client sees it.
//
// The envelope is PostgREST's: an object with the four keys code, details, hint
// and message, absent ones null
// (https://postgrest.org/en/stable/references/errors.html).
type Error struct {
	// Code is a PGRSTxxx code, a SLIPxxx code of our own, or a SQLSTATE.
	Code string
	// Message says in one line what is wrong.
	Message string
	// Details is nil, a string, or any value that encoding/json can render.
	Details any
	// Hint says what to do about it; empty is rendered as null.
	Hint string
	// Status overrides the status that the table gives to Code when not 0.
	Status int
	// Header is added to the response; nil adds nothing.
	Header http.Header
	// Cause goes to the log and never to the client.
	Cause error
}

// New returns an error with the code's status and no details.
func New(code, message string) *Error { return &Error{Code: code, Message: message} }

// Error is the one-line form for logs.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	b.WriteString(": ")
	b.WriteString(e.Message)
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// From finds the *Error in err's chain, or nil.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// Verbosity is how much of the envelope a client gets.
type Verbosity int

const (
	// Verbose renders all four keys.
	Verbose Verbosity = iota
	// Minimal renders code and message alone.
	Minimal
)

// JSON renders the envelope, compact and with its keys in alphabetical order.
func (e *Error) JSON(v Verbosity) []byte {
	type minimal struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	type full struct {
		Code    string  `json:"code"`
		Details any     `json:"details"`
		Hint    *string `json:"hint"`
		Message string  `json:"message"`
	}
	var out any
	if v == Minimal {
		out = minimal{Code: e.Code, Message: e.Message}
	} else {
		f := full{Code: e.Code, Details: e.Details, Message: e.Message}
		if e.Hint != "" {
			f.Hint = &e.Hint
		}
		out = f
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		// Details is ours and always encodable; keep the envelope well-formed all the same.
		return []byte(`{"code":"SLIP500","details":null,"hint":null,"message":"the error could not be rendered"}`)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// HTTPStatus is Status, or what the table says of Code for an anonymous caller.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	return StatusOf(e.Code, false)
}
