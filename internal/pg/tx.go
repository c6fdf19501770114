package pg

import (
	"strconv"
	"strings"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// Setting is a configuration parameter and its value.
type Setting struct{ Name, Value string }

// Tx is what a request's statements run under: the caller's identity and everything that policies and functions can
// see of the request. All of it is local to the transaction.
type Tx struct {
	// Role is the database role.
	Role string
	// SearchPath is the value of search_path.
	SearchPath string
	// RoleSettings are applied before the role is taken on, with the login role's rights.
	RoleSettings []Setting
	// Settings, request.* and the like, are applied after it. Both keep their order.
	Settings []Setting
	// Isolation is empty (the server's default), "repeatable read" or "serializable".
	Isolation string
	ReadWrite bool
	// PreRequest is the quoted name of a function to call first, or empty.
	PreRequest string
	// PreRequestSaw, if not nil, is set to the snapshot of the statement that calls PreRequest. The function has seen all that
	// this could see, and perhaps more; the statements after it may have seen what the function has not.
	PreRequestSaw *Snapshot
	// Least is for Reads on a standby: they fail with ErrBehind, and before they have given anything to their sink, where the
	// standby has not replayed the log up to this LSN, or is none any more. 0 asks for nothing. Isolation must be empty.
	Least uint64
	// Deadline, unless it is zero, lowers statement_timeout and lock_timeout to what is left until then: a statement
	// that it ends is ErrDeadline. The context has to end by itself.
	Deadline time.Time
	// Guard is for Write, and nil for most.
	Guard *Guard
	// Ask says how important the request is: who goes first where there are not enough connections for all, and who is refused. Its
	// Shape, Wait, Rider and Stays are not used.
	Ask limit.Ask

	outcome  outcome // of a Write
	replayed uint64  // in the WAL: see Replayed
}

// Statement is one statement with its arguments in text form; a nil argument is NULL.
type Statement struct {
	SQL  string
	Args [][]byte
	// Formats of the result columns, 0 for text and 1 for binary; nil is text for all.
	Formats []int16
	// Pace, if not nil, learns how long a Read takes whose first statement this is. When it is known to be quick and no
	// connection is free, the Read may share one with others of the kind.
	Pace *Pace
	// Group, if not empty, lets a Write whose only statement this is be done in one transaction with others of the same
	// group, while more of them are under way than there are connections. Statements of a group must leave nothing for the
	// rest of their transaction but rows, and no constraints to be checked at its end.
	Group string
}

// settings are one SELECT of set_config calls. Names are constants of the text and values its arguments, so the text
// is the same for all requests that set the same names. Its buffers can be used again.
type settings struct {
	sql    []byte
	values []byte // what args point into
	args   [][]byte
	afresh bool // another transaction has set them before: see setDeadline
}

func (s *settings) reset() {
	clear(s.args)
	s.sql, s.args = s.sql[:0], s.args[:0]
	// An empty slice of a nil one would be nil, which is NULL.
	if s.values = s.values[:0]; s.values == nil {
		s.values = make([]byte, 0, 2048)
	}
}

func (s *settings) set(name, value string) {
	start := len(s.values)
	s.values = append(s.values, value...)
	s.put(name, s.values[start:len(s.values):len(s.values)])
}

// unset gives a parameter the value that it has in the session.
func (s *settings) unset(name string) { s.put(name, nil) }

func (s *settings) put(name string, value []byte) {
	if len(s.args) == 0 {
		s.sql = append(s.sql, "select "...)
	} else {
		s.sql = append(s.sql, ", "...)
	}
	s.args = append(s.args, value)
	s.sql = append(s.sql, "pg_catalog.set_config("...)
	s.sql = appendLiteral(s.sql, name)
	s.sql = append(s.sql, ", $"...)
	s.sql = strconv.AppendInt(s.sql, int64(len(s.args)), 10)
	s.sql = append(s.sql, ", true)"...)
}

// of fills s with what tx sets.
func (s *settings) of(tx *Tx) {
	s.reset()
	if !tx.ReadWrite {
		s.set("transaction_read_only", "on")
	}
	s.set("search_path", tx.SearchPath)
	for i := range tx.RoleSettings {
		s.set(tx.RoleSettings[i].Name, tx.RoleSettings[i].Value)
	}
	s.set("role", tx.Role)
	for i := range tx.Settings {
		s.set(tx.Settings[i].Name, tx.Settings[i].Value)
	}
	if !tx.Deadline.IsZero() {
		s.setDeadline(tx.Deadline, s.afresh)
	}
}

// appendLiteral quotes s, whatever standard_conforming_strings is.
func appendLiteral(dst []byte, s string) []byte {
	if strings.IndexByte(s, '\\') >= 0 {
		dst = append(dst, 'E')
	}
	dst = append(dst, '\'')
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			dst = append(dst, s[i])
		}
		dst = append(dst, s[i])
	}
	return append(dst, '\'')
}

// begin is the statement that opens an explicit transaction, or empty when the implicit one of a pipeline will do.
func (tx *Tx) begin() string {
	switch strings.ToLower(tx.Isolation) {
	case "repeatable read":
		return "begin isolation level repeatable read"
	case "serializable":
		return "begin isolation level serializable"
	}
	return ""
}
