package slipstream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// conf reads PostgREST's format: lines of the form key = value, where a value is a text in double quotes, a number,
// or true or false, and comments begin with #. In texts $(NAME) is an environment variable and $$ a dollar sign.
func (f *fileReader) conf(source string, env map[string]string) {
	number := 0
	for line := range strings.Lines(source) {
		number++
		s := confScanner{rest: strings.TrimRight(line, "\r\n"), env: env}
		s.skipSpace()
		if !s.done() {
			f.confLine(&s, number)
		}
	}
}

func (f *fileReader) confLine(s *confScanner, number int) {
	column := s.column()
	key := s.word()
	text, err := s.assignment(key)
	if err != nil {
		f.problem(position(f.path, number, s.column()), "%w", err)
		return
	}
	if a, ok := f.key(key, number, column); ok {
		a.text = text
		f.assign(a)
	}
}

// confScanner reads one line.
type confScanner struct {
	rest string
	read int // runes before rest
	env  map[string]string
}

func (s *confScanner) column() int { return s.read + 1 }

// done is true at the end of the line and at a comment.
func (s *confScanner) done() bool { return s.rest == "" || s.rest[0] == '#' }

func (s *confScanner) advance(bytes int) {
	s.read += utf8.RuneCountInString(s.rest[:bytes])
	s.rest = s.rest[bytes:]
}

func (s *confScanner) skipSpace() {
	s.advance(len(s.rest) - len(strings.TrimLeft(s.rest, " \t")))
}

// word reads up to a space, = or comment.
func (s *confScanner) word() string {
	n := strings.IndexAny(s.rest, " \t=#")
	if n < 0 {
		n = len(s.rest)
	}
	w := s.rest[:n]
	s.advance(n)
	return w
}

func (s *confScanner) assignment(key string) (string, error) {
	s.skipSpace()
	if key == "" || !strings.HasPrefix(s.rest, "=") {
		return "", errors.New("write key = value; a YAML file must have a name that ends in .yaml")
	}
	s.advance(1)
	s.skipSpace()
	text, err := s.value()
	if err != nil {
		return "", err
	}
	s.skipSpace()
	if !s.done() {
		return "", errors.New("something follows the value; put a text in double quotes")
	}
	return text, nil
}

func (s *confScanner) value() (string, error) {
	if strings.HasPrefix(s.rest, `"`) {
		s.advance(1)
		return s.quoted()
	}
	w := s.word()
	switch w {
	case "true", "on":
		return "true", nil
	case "false", "off":
		return "false", nil
	}
	if _, err := strconv.ParseFloat(w, 64); err != nil {
		return "", errors.New("write a number, true, false, or a text in double quotes")
	}
	return w, nil
}

// quoted reads the rest of a text, after its first quote.
func (s *confScanner) quoted() (string, error) {
	var b strings.Builder
	for {
		n := strings.IndexAny(s.rest, `"\$`)
		if n < 0 {
			return "", errors.New("the text has no end; add a double quote")
		}
		b.WriteString(s.rest[:n])
		special := s.rest[n]
		s.advance(n + 1)
		part, err := "", error(nil)
		switch special {
		case '"':
			return b.String(), nil
		case '\\':
			part, err = s.escape()
		case '$':
			part, err = s.interpolation()
		}
		if err != nil {
			return "", err
		}
		b.WriteString(part)
	}
}

func (s *confScanner) escape() (string, error) {
	if s.rest == "" {
		return "", errors.New("the text has no end; add a double quote")
	}
	c := s.rest[0]
	i := strings.IndexByte(`"\ntrb`, c)
	switch {
	case i >= 0:
		s.advance(1)
		return "\"\\\n\t\r\b"[i : i+1], nil
	case c == 'u' && len(s.rest) >= 5:
		n, err := strconv.ParseUint(s.rest[1:5], 16, 16)
		if err == nil {
			s.advance(5)
			return string(rune(n)), nil
		}
	}
	return "", errors.New(`write \" \\ \n \t \r \b or \u and four digits after a backslash`)
}

func (s *confScanner) interpolation() (string, error) {
	if strings.HasPrefix(s.rest, "$") {
		s.advance(1)
		return "$", nil
	}
	name, _, ok := strings.Cut(strings.TrimPrefix(s.rest, "("), ")")
	if !ok || !strings.HasPrefix(s.rest, "(") {
		return "", errors.New("write $$ for a dollar sign, $(NAME) for an environment variable")
	}
	text, ok := s.env[name]
	if !ok {
		return "", fmt.Errorf("the environment has no %s; set it, or write $$ for a dollar sign", name)
	}
	s.advance(len(name) + 2)
	return text, nil
}
