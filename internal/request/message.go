package request

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// text renders the messages on one line.
func (f failure) text() string {
	messages := slices.Clone(f.messages)
	slices.SortStableFunc(messages, func(a, b message) int { return cmp.Compare(a.kind, b.kind) })
	var expectations, surprises []string
	token, atEnd := "", false
	for _, m := range messages {
		switch m.kind {
		case unexpectedToken:
			if token == "" && !atEnd {
				token, atEnd = m.text, m.text == ""
			}
		case unexpected:
			surprises = appendOnce(surprises, m.text)
		case expected:
			expectations = appendOnce(expectations, m.text)
		}
	}
	const endOfInput = "end of input"
	switch {
	case len(surprises) > 0:
	case atEnd:
		surprises = []string{endOfInput}
		expectations = slices.DeleteFunc(expectations, func(s string) bool { return s == endOfInput })
	case token != "":
		surprises = []string{token}
	}
	return phrase(phrase("", "unexpected", surprises), "expecting", expectations)
}

func appendOnce(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// phrase appends "verb a, b or c" to a text.
func phrase(text, verb string, items []string) string {
	if len(items) == 0 {
		return text
	}
	if text != "" {
		text += " "
	}
	list := items[len(items)-1]
	if n := len(items) - 1; n > 0 {
		list = strings.Join(items[:n], ", ") + " or " + list
	}
	return text + verb + " " + list
}

// haskellString shows a character as a Haskell string literal.
func haskellString(r rune) string {
	if r == '"' {
		return `"\""`
	}
	return `"` + haskellEscape(r) + `"`
}

// haskellChar shows a character as a Haskell character literal.
func haskellChar(r rune) string {
	if r == '\'' {
		return `'\''`
	}
	return "'" + haskellEscape(r) + "'"
}

// controls are Haskell's names of the characters below space.
var controls = [...]string{
	"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "a", "b", "t", "n", "v", "f", "r", "SO", "SI",
	"DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
}

func haskellEscape(r rune) string {
	switch {
	case r < ' ':
		return `\` + controls[r]
	case r == '\\':
		return `\\`
	case r == unicode.MaxASCII:
		return `\DEL`
	case r > unicode.MaxASCII:
		return `\` + strconv.Itoa(int(r))
	}
	return string(r)
}
