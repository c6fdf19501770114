package auth

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxPathBytes = 4096
	maxPathDepth = 32        // of parentheses, and of filters within filters
	maxPathInt   = 1<<53 - 1 // RFC 9535 section 2.1
)

// pathParser reads a path from left to right.
type pathParser struct {
	src   string
	pos   int
	depth int
}

// parseQuery reads an RFC 9535 query.
func parseQuery(path string) (rolePath, error) {
	p := &pathParser{src: path}
	if len(path) > maxPathBytes {
		p.pos = maxPathBytes
		return rolePath{}, p.fail("the path is too long")
	}
	if !utf8.ValidString(path) {
		return rolePath{}, p.fail("the path is not valid UTF-8")
	}
	p.pos = len("$")
	out, err := p.segments()
	if err == nil && !p.done() {
		err = p.fail(`".name", "[" or ".." is missing`)
	}
	return out, err
}

func (p *pathParser) segments() (rolePath, error) {
	var out rolePath
	for {
		before := p.pos
		p.space()
		s, ok, err := p.segment()
		if err != nil {
			return rolePath{}, err
		}
		if !ok {
			p.pos = before // the space belongs to what follows the query
			return out, nil
		}
		out.segments = append(out.segments, s)
	}
}

// segment reads one, if one begins here.
func (p *pathParser) segment() (s segment, ok bool, err error) {
	switch {
	case p.accept(".."):
		s.descend = true
		if p.accept("[") {
			s.selectors, err = p.bracketed()
			return s, true, err
		}
	case p.accept("["):
		s.selectors, err = p.bracketed()
		return s, true, err
	case p.accept("."):
	default:
		return s, false, nil
	}
	if p.accept("*") {
		s.selectors = []selector{wildcardSelector{}}
		return s, true, nil
	}
	name := p.takeName()
	if name == "" {
		return s, true, p.fail("a name or * is missing; names with other characters are written ['like-this']")
	}
	s.selectors = []selector{nameSelector(name)}
	return s, true, nil
}

// takeName reads RFC 9535's member-name-shorthand.
func (p *pathParser) takeName() string {
	first := true
	return p.takeWhile(func(r rune) bool {
		ok := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80 ||
			!first && r >= '0' && r <= '9'
		first = false
		return ok
	})
}

// bracketed reads selectors up to the closing bracket.
func (p *pathParser) bracketed() ([]selector, error) {
	var out []selector
	for {
		p.space()
		s, err := p.selector()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
		p.space()
		if !p.accept(",") {
			return out, p.expect("]")
		}
	}
}

func (p *pathParser) selector() (selector, error) {
	switch c := p.peek(); {
	case c == '\'' || c == '"':
		name, err := p.quoted()
		return nameSelector(name), err
	case c == '*':
		p.pos++
		return wildcardSelector{}, nil
	case c == '?':
		p.pos++
		p.space()
		test, err := p.condition()
		return filterSelector{test: test}, err
	case c == '-' || c == ':' || c >= '0' && c <= '9':
		return p.indexOrSlice()
	}
	return nil, p.fail("a quoted name, an index, a slice, * or ?filter is missing")
}

func (p *pathParser) indexOrSlice() (selector, error) {
	start, err := p.optionalInt()
	if err != nil {
		return nil, err
	}
	if !p.acceptSpaced(":") {
		return indexSelector(*start), nil // without ":" it began with a digit or "-"
	}
	s := sliceSelector{start: start, step: 1}
	p.space()
	if s.end, err = p.optionalInt(); err != nil {
		return nil, err
	}
	if p.acceptSpaced(":") {
		p.space()
		step, err := p.optionalInt()
		if err != nil {
			return nil, err
		}
		if step != nil {
			s.step = *step
		}
	}
	return s, nil
}

// optionalInt reads an integer, if one begins here.
func (p *pathParser) optionalInt() (*int, error) {
	if c := p.peek(); c != '-' && (c < '0' || c > '9') {
		return nil, nil //nolint:nilnil // absent is a value here
	}
	sign := p.acceptAny("-")
	i, err := p.integer(sign + p.takeWhile(func(r rune) bool { return r >= '0' && r <= '9' }))
	return &i, err
}

// integer converts what was just taken; RFC 9535 knows neither 00 nor -0.
func (p *pathParser) integer(digits string) (int, error) {
	i, err := strconv.Atoi(digits)
	if err != nil || strconv.Itoa(i) != digits || i > maxPathInt || i < -maxPathInt {
		p.pos -= len(digits)
		return 0, p.fail("an integer is missing or out of range")
	}
	return i, nil
}

func (p *pathParser) done() bool { return p.pos >= len(p.src) }

// peek returns the next byte, or 0 at the end.
func (p *pathParser) peek() byte {
	if p.done() {
		return 0
	}
	return p.src[p.pos]
}

func (p *pathParser) accept(s string) bool {
	ok := strings.HasPrefix(p.src[p.pos:], s)
	if ok {
		p.pos += len(s)
	}
	return ok
}

// acceptAny accepts the first that fits, or nothing.
func (p *pathParser) acceptAny(options ...string) string {
	for _, s := range options {
		if p.accept(s) {
			return s
		}
	}
	return ""
}

// acceptSpaced accepts s after space, or nothing at all.
func (p *pathParser) acceptSpaced(s string) bool {
	before := p.pos
	p.space()
	ok := p.accept(s)
	if !ok {
		p.pos = before
	}
	return ok
}

func (p *pathParser) expect(s string) error {
	if !p.accept(s) {
		return p.fail(fmt.Sprintf("%q is missing", s))
	}
	return nil
}

func (p *pathParser) space() {
	p.takeWhile(func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}

func (p *pathParser) takeWhile(ok func(rune) bool) string {
	start := p.pos
	for !p.done() {
		r, size := utf8.DecodeRuneInString(p.src[p.pos:])
		if !ok(r) {
			break
		}
		p.pos += size
	}
	return p.src[start:p.pos]
}

func (p *pathParser) fail(reason string) error {
	return &pathError{path: p.src, offset: utf8.RuneCountInString(p.src[:min(p.pos, len(p.src))]), reason: reason}
}
