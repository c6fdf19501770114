package slipstream

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// value is one field of a Config seen as text. The types below are views of fields, one per kind of option.
type value interface {
	// set parses text; the empty text unsets. Its error says what would be right.
	set(text string) error
	// check judges a value that was set in Go as much as one that was parsed.
	check() error
	// String is the text that set would turn into this value.
	String() string
	// unset is true for the zero value, which stands for the default.
	unset() bool
	// kind names the type in the documentation.
	kind() string
	// schema is the type in JSON Schema.
	schema() map[string]any
	// plain is the value as a YAML scalar, sequence or mapping.
	plain() any
}

// text is any string.
type text string

func (v *text) set(s string) error     { *v = text(s); return nil }
func (v *text) check() error           { return nil }
func (v *text) String() string         { return string(*v) }
func (v *text) unset() bool            { return *v == "" }
func (v *text) kind() string           { return "text" }
func (v *text) schema() map[string]any { return map[string]any{"type": "string"} }
func (v *text) plain() any             { return string(*v) }

// choice is a string out of a few.
type choice struct {
	p    *string
	from []string
}

func (v choice) set(s string) error     { *v.p = s; return nil }
func (v choice) String() string         { return *v.p }
func (v choice) unset() bool            { return *v.p == "" }
func (v choice) kind() string           { return "one of " + strings.Join(v.from, ", ") }
func (v choice) schema() map[string]any { return map[string]any{"enum": v.from} }
func (v choice) plain() any             { return *v.p }

func (v choice) check() error {
	if v.unset() || slices.Contains(v.from, *v.p) {
		return nil
	}
	return fmt.Errorf("%q is not known; write %s", *v.p, strings.Join(v.from, ", "))
}

// enabled is a switch that is off by default; disabled one that is on by default and whose field turns it off.
type (
	enabled  bool
	disabled bool
)

func (v *enabled) set(s string) (err error) { *(*bool)(v), err = parseBool(s, false); return err }
func (v *enabled) check() error             { return nil }
func (v *enabled) String() string           { return strconv.FormatBool(bool(*v)) }
func (v *enabled) unset() bool              { return !bool(*v) }
func (v *enabled) kind() string             { return "boolean" }
func (v *enabled) schema() map[string]any   { return map[string]any{"type": "boolean"} }
func (v *enabled) plain() any               { return bool(*v) }

func (v *disabled) set(s string) error {
	on, err := parseBool(s, true)
	*v = disabled(!on)
	return err
}
func (v *disabled) check() error           { return nil }
func (v *disabled) String() string         { return strconv.FormatBool(!bool(*v)) }
func (v *disabled) unset() bool            { return !bool(*v) }
func (v *disabled) kind() string           { return "boolean" }
func (v *disabled) schema() map[string]any { return map[string]any{"type": "boolean"} }
func (v *disabled) plain() any             { return !bool(*v) }

// parseBool takes what PostgREST takes: true and false in any case, and numbers, of which positive ones are true.
func parseBool(s string, unset bool) (bool, error) {
	switch t := strings.ToLower(strings.Trim(s, ` "'`)); t {
	case "":
		return unset, nil
	case "true", "false":
		return t == "true", nil
	default:
		n, err := strconv.Atoi(t)
		if err != nil {
			return unset, fmt.Errorf("%q is neither true nor false; write one of them", s)
		}
		return n > 0, nil
	}
}

// logQuery also takes what PostgREST's versions before 16 took.
type logQuery struct{ *enabled }

func (v logQuery) set(s string) error {
	switch s {
	case "main-query":
		s = "true"
	case "disabled":
		s = "false"
	}
	return v.enabled.set(s)
}

// fileMode is an octal mode of a socket.
type fileMode string

func (v *fileMode) set(s string) error { *v = fileMode(s); return nil }
func (v *fileMode) String() string     { return string(*v) }
func (v *fileMode) unset() bool        { return *v == "" }
func (v *fileMode) kind() string       { return "octal mode" }
func (v *fileMode) plain() any         { return string(*v) }
func (v *fileMode) schema() map[string]any {
	return map[string]any{"type": []string{"string", "integer"}, "pattern": "^[67][0-7][0-7]$"}
}

func (v *fileMode) check() error {
	n, err := strconv.ParseUint(string(*v), 8, 32)
	if !v.unset() && (err != nil || n < 0o600 || n > 0o777) {
		return fmt.Errorf("%q is not a mode; write an octal number from 600 to 777", string(*v))
	}
	return nil
}
