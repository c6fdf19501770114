package auth

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// numberSyntax is JSON's number, which RFC 9535 shares.
var numberSyntax = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`)

// condition reads a logical expression: || binds less than &&.
func (p *pathParser) condition() (condition, error) {
	if p.depth++; p.depth > maxPathDepth {
		return nil, p.fail("the filter is nested too deeply")
	}
	defer func() { p.depth-- }()
	var out anyOf
	for {
		c, err := p.conjunction()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
		if !p.acceptSpaced("||") {
			return out, nil
		}
		p.space()
	}
}

func (p *pathParser) conjunction() (condition, error) {
	var out allOf
	for {
		c, err := p.basicCondition()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
		if !p.acceptSpaced("&&") {
			return out, nil
		}
		p.space()
	}
}

// basicCondition reads a parenthesis, a comparison, an existence test, or a test
// by match() or search().
func (p *pathParser) basicCondition() (condition, error) {
	if p.accept("!") {
		p.space()
		return p.negated()
	}
	if p.peek() == '(' {
		return p.parenthesis()
	}
	start := p.pos
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.space()
	op := p.acceptAny("==", "!=", "<=", ">=", "<", ">")
	if op == "" {
		return p.test(e, start)
	}
	left, err := p.comparable(e, start)
	if err != nil {
		return nil, err
	}
	p.space()
	start = p.pos
	if e, err = p.expression(); err != nil {
		return nil, err
	}
	right, err := p.comparable(e, start)
	return comparison{op: op, left: left, right: right}, err
}

func (p *pathParser) negated() (condition, error) {
	if p.peek() == '(' {
		c, err := p.parenthesis()
		return negation{of: c}, err
	}
	start := p.pos
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	c, err := p.test(e, start)
	return negation{of: c}, err
}

func (p *pathParser) parenthesis() (condition, error) {
	p.pos++
	p.space()
	c, err := p.condition()
	if err != nil {
		return nil, err
	}
	p.space()
	return c, p.expect(")")
}

// test accepts what can stand alone: a query, match() or search().
func (p *pathParser) test(e any, start int) (condition, error) {
	if c, ok := e.(condition); ok {
		return c, nil
	}
	p.pos = start
	return nil, p.fail("a comparison is missing, because a value alone is no test,")
}

// comparable accepts what has one value: a literal, a singular query or a
// function that returns a value.
func (p *pathParser) comparable(e any, start int) (operand, error) {
	if q, ok := e.(subquery); ok && !q.singular() {
		p.pos = start
		return nil, p.fail("only queries of names and indices can be compared, unlike that")
	}
	if v, ok := e.(operand); ok {
		return v, nil
	}
	p.pos = start
	return nil, p.fail("match() and search() cannot be compared, but are")
}

// expression reads a literal, a query or a function call: an operand, a
// condition, or both.
func (p *pathParser) expression() (any, error) {
	switch c := p.peek(); {
	case c == '@' || c == '$':
		return p.subquery()
	case c == '\'' || c == '"':
		s, err := p.quoted()
		return literal{s}, err
	case c == '-' || c >= '0' && c <= '9':
		n := numberSyntax.FindString(p.src[p.pos:])
		if n == "" {
			return nil, p.fail("a number is missing")
		}
		p.pos += len(n)
		return literal{json.Number(n)}, nil
	case c >= 'a' && c <= 'z':
		return p.word()
	}
	return nil, p.fail("a value, a query that begins with @ or $, or a function is missing")
}

func (p *pathParser) subquery() (subquery, error) {
	q := subquery{fromRoot: p.peek() == '$'}
	p.pos++
	if p.depth++; p.depth > maxPathDepth {
		return q, p.fail("the filter is nested too deeply")
	}
	defer func() { p.depth-- }()
	var err error
	q.path, err = p.segments()
	return q, err
}

// word reads true, false, null or a function call.
func (p *pathParser) word() (any, error) {
	start := p.pos
	word := p.takeWhile(func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' })
	switch word {
	case "true":
		return literal{true}, nil
	case "false":
		return literal{false}, nil
	case "null":
		return literal{nil}, nil
	case "length", "count", "value", "match", "search":
		if err := p.expect("("); err != nil {
			return nil, err
		}
		return p.call(word)
	}
	p.pos = start
	return nil, p.fail(fmt.Sprintf("unknown word %q", word))
}

// call reads the arguments of a function of RFC 9535 section 2.4.
func (p *pathParser) call(function string) (out any, err error) {
	p.space()
	start := p.pos
	if p.depth++; p.depth > maxPathDepth {
		return nil, p.fail("the filter is nested too deeply")
	}
	defer func() { p.depth-- }()
	first, err := p.expression()
	if err != nil {
		return nil, err
	}
	switch function {
	case "count", "value":
		q, ok := first.(subquery)
		if !ok {
			p.pos = start
			return nil, p.fail(function + "() takes a query, not what is")
		}
		out = countOf{q}
		if function == "value" {
			out = valueOf{q}
		}
	case "length":
		v, err := p.comparable(first, start)
		if err != nil {
			return nil, err
		}
		out = lengthOf{v}
	default:
		if out, err = p.matching(first, start, function == "match"); err != nil {
			return nil, err
		}
	}
	p.space()
	return out, p.expect(")")
}

func (p *pathParser) matching(first any, start int, whole bool) (m matching, err error) {
	m.whole = whole
	if m.text, err = p.comparable(first, start); err != nil {
		return m, err
	}
	p.space()
	if err := p.expect(","); err != nil {
		return m, err
	}
	p.space()
	start = p.pos
	second, err := p.expression()
	if err != nil {
		return m, err
	}
	if m.pattern, err = p.comparable(second, start); err != nil {
		return m, err
	}
	if l, ok := m.pattern.(literal); ok {
		if pattern, ok := l.v.(string); ok {
			if m.compiled, err = compile(pattern, whole); err != nil {
				p.pos = start
				return m, p.fail("the regular expression is invalid")
			}
		}
	}
	return m, nil
}

// quoted reads a string literal (RFC 9535 section 2.3.1.1).
func (p *pathParser) quoted() (string, error) {
	quote := p.src[p.pos]
	p.pos++
	var out []byte
	for {
		c := p.peek()
		switch {
		case c < ' ': // also the end
			return "", p.fail(fmt.Sprintf("the closing %c is missing", quote))
		case c == quote:
			p.pos++
			return string(out), nil
		case c == '\\':
			r, err := p.escape(quote)
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
			p.pos++
		}
	}
}

func (p *pathParser) escape(quote byte) (rune, error) {
	p.pos++
	c := p.peek()
	p.pos++
	switch c {
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '/', '\\', quote:
		return rune(c), nil
	case 'u':
		return p.unicodeEscape()
	}
	p.pos -= 2
	return 0, p.fail("unknown escape")
}

func (p *pathParser) unicodeEscape() (rune, error) {
	start := p.pos
	r, ok := p.hex4()
	if ok && utf16.IsSurrogate(r) {
		var low rune
		if ok = p.accept(`\u`); ok {
			low, ok = p.hex4()
			r = utf16.DecodeRune(r, low)
			ok = ok && r != utf8.RuneError
		}
	}
	if !ok {
		p.pos = start - len(`\u`)
		return 0, p.fail(`\u without a character`)
	}
	return r, nil
}

func (p *pathParser) hex4() (rune, bool) {
	if len(p.src)-p.pos < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(p.src[p.pos:p.pos+4], 16, 16)
	p.pos += 4
	return rune(n), err == nil
}
