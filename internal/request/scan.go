package request

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanner reads the grammar's tokens from one decoded parameter.
//
// It knows only whether the text is well-formed. What was expected where is
// found out by running the grammar of grammar.go over the same text, which is
// worth its cost only when there is an error to report.
type scanner struct {
	s string
	i int
}

func (p *scanner) done() bool { return p.i >= len(p.s) }

// peek is the next byte, or 0 at the end; NUL never occurs in a query (decodeText).
func (p *scanner) peek() byte {
	if p.done() {
		return 0
	}
	return p.s[p.i]
}

// accept consumes c if it is next.
func (p *scanner) accept(c byte) bool {
	if p.peek() != c || p.done() {
		return false
	}
	p.i++
	return true
}

// acceptText consumes text if it is next.
func (p *scanner) acceptText(text string) bool {
	if !strings.HasPrefix(p.s[p.i:], text) {
		return false
	}
	p.i += len(text)
	return true
}

// space consumes blanks and reports whether there were any.
func (p *scanner) space() bool {
	start := p.i
	for p.peek() == ' ' || p.peek() == '\t' {
		p.i++
	}
	return p.i > start
}

// lexeme consumes c with the blanks around it.
func (p *scanner) lexeme(c byte) bool {
	p.space()
	if !p.accept(c) {
		return false
	}
	p.space()
	return true
}

// separator consumes a comma with the blanks around it. Blanks that no comma
// follows are an error, as PostgREST has it.
func (p *scanner) separator() (more, ok bool) {
	blank := p.space()
	if !p.accept(',') {
		return false, !blank
	}
	p.space()
	return true, true
}

// quoted reads "text" in which a backslash takes the next character as it is.
func (p *scanner) quoted() (string, bool) {
	if !p.accept('"') {
		return "", false
	}
	start, escaped := p.i, false
	for ; !p.done(); p.i++ {
		switch p.s[p.i] {
		case '"':
			text := p.s[start:p.i]
			p.i++
			if escaped {
				text = unescape(text)
			}
			return text, true
		case '\\':
			escaped = true
			p.i++
		}
	}
	p.i = len(p.s)
	return "", false
}

func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// identifier reads letters, digits, blanks, _ and $; the ends are trimmed.
func (p *scanner) identifier() (string, bool) {
	start := p.i
	p.skipIdentifier()
	return strings.Trim(p.s[start:p.i], " "), p.i > start
}

func (p *scanner) skipIdentifier() {
	for !p.done() {
		c := p.s[p.i]
		if c < utf8.RuneSelf {
			if !isIdentifierByte(c) {
				return
			}
			p.i++
			continue
		}
		r, size := utf8.DecodeRuneInString(p.s[p.i:])
		if !unicode.IsLetter(r) {
			return
		}
		p.i += size
	}
}

func isIdentifierByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == ' ' || c == '$'
}

// name reads a field name: a quoted text, or identifiers joined by dashes. When
// it fails, the scanner has moved only if there was a beginning of a name.
func (p *scanner) name() (string, bool) {
	if p.peek() == '"' {
		return p.quoted()
	}
	return p.dashed(false)
}

// dashed reads segments joined by dashes that do not begin an arrow: segments
// of JSON keys, or else identifiers. Each segment is trimmed.
func (p *scanner) dashed(key bool) (string, bool) {
	start, dashes := p.i, false
	for {
		segment := p.i
		if key {
			p.skipKey()
		} else {
			p.skipIdentifier()
		}
		if p.i == segment {
			return "", false
		}
		if p.peek() != '-' || strings.HasPrefix(p.s[p.i:], "->") {
			break
		}
		dashes = true
		p.i++
	}
	text := p.s[start:p.i]
	if !dashes || !strings.ContainsFunc(text, isSpace) {
		return trimSpaces(text), true
	}
	segments := strings.Split(text, "-")
	for i := range segments {
		segments[i] = trimSpaces(segments[i])
	}
	return strings.Join(segments, "-"), true
}

// trimSpaces trims like Haskell's strip. In an identifier the only space there can be is the blank.
func trimSpaces(s string) string { return strings.TrimFunc(s, isSpace) }

// isSpace is Haskell's isSpace, which trims the ends of JSON keys.
func isSpace(r rune) bool {
	return '\t' <= r && r <= '\r' || unicode.Is(unicode.Zs, r)
}
