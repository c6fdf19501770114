package openapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// writer appends JSON text. A comma is due wherever the last byte does not open something, so nothing has to be
// remembered of where it is.
type writer struct{ buf []byte }

func (w *writer) comma() {
	if n := len(w.buf); n > 0 {
		switch w.buf[n-1] {
		case '{', '[', ':':
		default:
			w.buf = append(w.buf, ',')
		}
	}
}

func (w *writer) key(name string) {
	w.text(name)
	w.buf = append(w.buf, ':')
}

// text adds a string, as an element or as the value of the last key.
func (w *writer) text(s string) {
	w.comma()
	w.buf = appendQuoted(w.buf, s)
}

// raw adds what is JSON already.
func (w *writer) raw(name, json string) {
	w.key(name)
	w.buf = append(w.buf, json...)
}

// members adds members that are JSON already, such as `"a":1,"b":2`.
func (w *writer) members(json string) {
	w.comma()
	w.buf = append(w.buf, json...)
}

func (w *writer) field(name, value string) {
	w.key(name)
	w.text(value)
}

// optional leaves the member out when its value is empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.field(name, value)
	}
}

func (w *writer) bool(name string, value bool) {
	w.raw(name, strconv.FormatBool(value))
}

func (w *writer) strings(name string, values ...string) {
	w.array(name, func() {
		for _, v := range values {
			w.text(v)
		}
	})
}

func (w *writer) object(name string, body func()) {
	w.key(name)
	w.element(body)
}

func (w *writer) array(name string, body func()) {
	w.key(name)
	w.buf = append(w.buf, '[')
	body()
	w.buf = append(w.buf, ']')
}

// element adds an object to an array.
func (w *writer) element(body func()) {
	w.comma()
	w.buf = append(w.buf, '{')
	body()
	w.buf = append(w.buf, '}')
}

// appendQuoted renders s as a JSON string; what is not UTF-8 becomes U+FFFD.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	s = strings.ToValidUTF8(s, "\uFFFD")
	dst = append(dst, '"')
	plain := 0 // where the text begins that needs no change
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[plain:i]...)
		plain = i + 1
		switch {
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, '\\', c)
		}
	}
	dst = append(dst, s[plain:]...)
	return append(dst, '"')
}

// inner is the members of an object, less the white space of the file that it was read from.
func inner(object string) string {
	var b bytes.Buffer
	_ = json.Compact(&b, []byte(object)) // embedded files are JSON
	return b.String()[1 : b.Len()-1]
}
