package request

import (
	"strings"
	"unicode/utf8"
)

// column reads a field name with its JSON path.
func (p *scanner) column() (Column, bool) {
	name, ok := p.name()
	if !ok {
		return Column{}, false
	}
	path, ok := p.jsonPath()
	return Column{Name: name, Path: path}, ok
}

// paddedColumn reads a column with blanks around it.
func (p *scanner) paddedColumn() (Column, bool) {
	p.space()
	c, ok := p.column()
	p.space()
	return c, ok
}

// jsonPath reads any number of ->key and ->>key.
func (p *scanner) jsonPath() ([]JSONStep, bool) {
	var path []JSONStep
	for p.acceptText("->") {
		step := JSONStep{Text: p.accept('>')}
		var ok bool
		if step.Key, step.Index, ok = p.jsonOperand(); !ok {
			return nil, false
		}
		path = append(path, step)
	}
	return path, true
}

// jsonOperand reads an array index, or else a key. Digits count as an index
// only where the operand visibly ends, so that ->0a is a key, and so is ->0
// before a closing parenthesis.
func (p *scanner) jsonOperand() (key string, index, ok bool) {
	start := p.i
	p.accept('-')
	digits := p.i
	for isDigit(p.peek()) {
		p.i++
	}
	if p.i > digits && p.operandEnds() {
		return p.s[start:p.i], true, true
	}
	p.i = start
	if p.peek() == '"' {
		key, ok = p.quoted()
		return key, false, ok
	}
	key, ok = p.dashed(true)
	return key, false, ok
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (p *scanner) operandEnds() bool {
	rest := p.s[p.i:]
	return rest == "" || rest[0] == '.' || rest[0] == ',' || strings.HasPrefix(rest, "->") || strings.HasPrefix(rest, "::")
}

func (p *scanner) skipKey() {
	for !p.done() && strings.IndexByte("(-:.,>)", p.s[p.i]) < 0 {
		_, size := utf8.DecodeRuneInString(p.s[p.i:])
		p.i += size
	}
}

// treePath reads embed.embed.column->path: the key of a filter. What follows is
// ignored, as PostgREST does.
func (p *scanner) treePath() ([]string, Column, bool) {
	path, name, ok := p.dottedPath()
	if !ok {
		return nil, Column{}, false
	}
	steps, ok := p.jsonPath()
	return path, Column{Name: name, Path: steps}, ok
}

// dottedPath reads names joined by dots and splits off the last one.
func (p *scanner) dottedPath() (path []string, last string, ok bool) {
	for {
		if last, ok = p.name(); !ok {
			return nil, "", false
		}
		if !p.accept('.') {
			return path, last, true
		}
		path = append(path, last)
	}
}
