package schema

import (
	"bytes"
	"errors"
	"strconv"
)

// viewColumn is one output column of a view that shows a column of a relation as it is.
type viewColumn struct {
	number int16 // of the view
	source sourceColumn
}

// sourceColumn is a column by its relation's OID and its number there.
type sourceColumn struct {
	relation uint32
	number   int16
}

var errNodeTree = errors.New("unexpected text in a view's pg_rewrite.ev_action")

// parseViewRule finds, in the text of a view's rule (pg_rewrite.ev_action), the
// columns that are taken unchanged from a relation or another view. PostgreSQL
// keeps the origin of each, through joins, subqueries and CTEs, in
// TARGETENTRY's resorigtbl and resorigcol; they are 0 for expressions and for the
// columns of set operations.
//
// The text is a list of nodes (nodes/outfuncs.c): {NAME :key value ...}, where a
// value is a token, a node, or a list in parentheses. Spaces and brackets inside
// tokens are escaped with a backslash. Only the first query's targetList is
// read and everything else skipped over, so what versions 12 to 18 add to and
// remove from other nodes makes no difference.
func parseViewRule(text []byte) ([]viewColumn, error) {
	p := nodeParser{text: text}
	if !p.open('(') || !p.open('{') {
		return nil, errNodeTree
	}
	p.token() // QUERY
	for p.peek() == ':' {
		if string(p.token()) == ":targetList" {
			return p.targetList()
		}
		if !p.skipValue() {
			return nil, errNodeTree
		}
	}
	return nil, errNodeTree
}

// nodeParser reads a node tree from left to right.
type nodeParser struct {
	text []byte
	pos  int
}

// targetList reads a list of TARGETENTRY nodes; <> is the empty list.
func (p *nodeParser) targetList() ([]viewColumn, error) {
	var columns []viewColumn
	if !p.open('(') {
		if string(p.token()) == "<>" {
			return nil, nil
		}
		return nil, errNodeTree
	}
	for p.open('{') {
		c, err := p.targetEntry()
		if err != nil {
			return nil, err
		}
		if c.source.relation != 0 && c.source.number > 0 {
			columns = append(columns, c)
		}
	}
	if !p.open(')') {
		return nil, errNodeTree
	}
	return columns, nil
}

func (p *nodeParser) targetEntry() (viewColumn, error) {
	var c viewColumn
	p.token() // TARGETENTRY
	for p.peek() == ':' {
		var err error
		switch key := p.token(); string(key) {
		case ":resno":
			c.number, err = p.column()
		case ":resorigcol":
			c.source.number, err = p.column()
		case ":resorigtbl":
			var oid uint64
			oid, err = strconv.ParseUint(string(p.token()), 10, 32)
			c.source.relation = uint32(oid)
		default:
			if !p.skipValue() {
				err = errNodeTree
			}
		}
		if err != nil {
			return c, errors.Join(errNodeTree, err)
		}
	}
	if !p.open('}') {
		return c, errNodeTree
	}
	return c, nil
}

func (p *nodeParser) column() (int16, error) {
	n, err := strconv.ParseInt(string(p.token()), 10, 16)
	return int16(n), err
}

// peek skips white space and gives the next byte, 0 at the end.
func (p *nodeParser) peek() byte {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; c {
		case ' ', '\n', '\t', '\r':
			p.pos++
		default:
			return c
		}
	}
	return 0
}

// open consumes c, if it comes next.
func (p *nodeParser) open(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

// token reads up to the next unescaped space or bracket; it is empty before a bracket.
func (p *nodeParser) token() []byte {
	p.peek()
	start := p.pos
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\n', '\t', '\r', '(', ')', '{', '}':
			return p.text[start:p.pos]
		case '\\':
			p.pos++
		}
		p.pos++
	}
	p.pos = min(p.pos, len(p.text))
	return p.text[start:p.pos]
}

// skipValue passes over one token, node or list.
func (p *nodeParser) skipValue() bool {
	switch p.peek() {
	case '{', '(':
		return p.skipBrackets()
	case ')', '}', 0:
		return false
	default:
		p.token()
		return true
	}
}

// skipBrackets passes over a node or list with all it contains.
func (p *nodeParser) skipBrackets() bool {
	depth := 0
	for p.pos < len(p.text) {
		i := bytes.IndexAny(p.text[p.pos:], `\(){}`)
		if i < 0 {
			break
		}
		p.pos += i
		switch p.text[p.pos] {
		case '\\':
			p.pos++
		case '(', '{':
			depth++
		default:
			depth--
		}
		p.pos++
		if depth == 0 {
			return true
		}
	}
	p.pos = len(p.text)
	return false
}
