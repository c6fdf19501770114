package scenario

import (
	"errors"
	"fmt"
	"strings"
)

// piece of a template: a text, or a variable.
type piece struct{ text, variable string }

var errOpen = errors.New("a ${ has no }; write ${name}, or $${ for a plain ${")

// split takes a template apart.
func split(template string) ([]piece, error) {
	var pieces []piece
	text := func(s string) {
		if n := len(pieces); n > 0 && pieces[n-1].variable == "" {
			pieces[n-1].text += s
		} else if s != "" {
			pieces = append(pieces, piece{text: s})
		}
	}
	for {
		i := strings.Index(template, "${")
		if i < 0 {
			text(template)
			return pieces, nil
		}
		if i > 0 && template[i-1] == '$' {
			text(template[:i-1] + "${")
			template = template[i+2:]
			continue
		}
		text(template[:i])
		name, rest, closed := strings.Cut(template[i+2:], "}")
		switch {
		case !closed:
			return nil, errOpen
		case !isName(name):
			return nil, fmt.Errorf("%q is no name of a variable; write ${name} with letters, digits, _ and -, or $${ for a plain ${", name)
		}
		pieces = append(pieces, piece{variable: name})
		template = rest
	}
}

// join is what split takes apart. A text must not end with $ before a variable: there is no way to write that.
func join(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.variable != "" {
			b.WriteString("${" + p.variable + "}")
		} else {
			b.WriteString(strings.ReplaceAll(p.text, "${", "$${"))
		}
	}
	return b.String()
}

// isName takes letters, digits, _ and -, not first a digit or -.
func isName(s string) bool {
	for i, c := range []byte(s) {
		if !isLetter(c) && c != '_' && (i == 0 || c != '-' && !isDigit(c)) {
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
