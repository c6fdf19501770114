package request

import "strings"

// list reads (a,"b,c",d) and renders it as a PostgreSQL array literal. The
// empty list is a list of one empty text to the grammar, and the empty array to
// the client who wrote it.
func (p *scanner) list() (string, bool) {
	if !p.lexeme('(') {
		return "", false
	}
	start := p.i
	dst := make([]byte, 0, len(p.s)-start+16)
	dst = append(dst, '{')
	for {
		dst = appendElement(dst, p.element())
		if !p.accept(',') {
			break
		}
		dst = append(dst, ',')
	}
	if string(dst) == `{""` {
		dst = dst[:1]
	}
	dst = append(dst, '}')
	return string(dst), p.lexeme(')')
}

// element reads a quoted text that the list goes on after, or all up to the next comma or parenthesis.
func (p *scanner) element() string {
	if text, ok := p.quotedMember(); ok {
		return text
	}
	return p.bareMember()
}

func (p *scanner) quotedMember() (string, bool) {
	start := p.i
	if text, ok := p.quoted(); ok && (p.done() || p.s[p.i] == ',' || p.s[p.i] == ')') {
		return text, true
	}
	p.i = start
	return "", false
}

func (p *scanner) bareMember() string {
	rest := p.s[p.i:]
	n := strings.IndexAny(rest, ",)")
	if n < 0 {
		n = len(rest)
	}
	p.i += n
	return rest[:n]
}

func appendElement(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, text[i])
	}
	return append(dst, '"')
}
