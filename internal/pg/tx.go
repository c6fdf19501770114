package pg

import (
	"strconv"
	"strings"
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
	// Settings are applied in their order, before the role is taken on where RoleFirst settings need the login role's rights.
	RoleSettings []Setting // of the role, before SET ROLE
	Settings     []Setting // request.* and the like, after it
	// Isolation is empty (the server's default), "repeatable read" or "serializable".
	Isolation string
	ReadWrite bool
	// PreRequest is the quoted name of a function to call first, or empty.
	PreRequest string
}

// Statement is one statement with its arguments in text form; a nil argument is NULL.
type Statement struct {
	SQL  string
	Args [][]byte
	// Formats of the result columns, 0 for text and 1 for binary; nil is text for all.
	Formats []int16
}

// settingsSQL is one SELECT of set_config calls. Names are constants of the text and values its arguments, so the
// text is the same for all requests that set the same names.
func (tx *Tx) settings(sql []byte, args [][]byte) ([]byte, [][]byte) {
	sql = append(sql, "select "...)
	set := func(name, value string) {
		if len(args) > 0 {
			sql = append(sql, ", "...)
		}
		args = append(args, []byte(value))
		sql = append(sql, "set_config("...)
		sql = appendLiteral(sql, name)
		sql = append(sql, ", $"...)
		sql = strconv.AppendInt(sql, int64(len(args)), 10)
		sql = append(sql, ", true)"...)
	}
	if !tx.ReadWrite {
		set("transaction_read_only", "on")
	}
	set("search_path", tx.SearchPath)
	for i := range tx.RoleSettings {
		set(tx.RoleSettings[i].Name, tx.RoleSettings[i].Value)
	}
	set("role", tx.Role)
	for i := range tx.Settings {
		set(tx.Settings[i].Name, tx.Settings[i].Value)
	}
	return sql, args
}

func appendLiteral(dst []byte, s string) []byte {
	dst = append(dst, '\'')
	for i := range len(s) {
		if s[i] == '\'' {
			dst = append(dst, '\'')
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
