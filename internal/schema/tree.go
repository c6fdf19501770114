package schema

import (
	"strconv"
	"strings"
)

// treeNode is a node of a node tree, in which PostgreSQL keeps the queries of views, the conditions of policies and the
// bodies of functions that it has parsed: {NAME :key value …} (see parseViewRule for the text's form).
type treeNode struct {
	name   string
	fields []treeField
}

// treeField is a key with its value: the tokens that follow it, and the nodes in it, those of lists included.
type treeField struct {
	key    string
	tokens []string
	nodes  []*treeNode
}

// parseTree reads a node, or a list of nodes.
func parseTree(text []byte) ([]*treeNode, error) {
	p := treeParser{nodeParser{text: text}}
	nodes, ok := p.values(nil)
	if !ok || p.peek() != 0 {
		return nil, errNodeTree
	}
	return nodes, nil
}

type treeParser struct{ nodeParser }

// values reads what follows up to the end of what is open, or to the next key: nodes, and tokens, which it gives to each.
func (p *treeParser) values(token func(string)) (nodes []*treeNode, ok bool) {
	for first := true; ; first = false {
		switch c := p.peek(); {
		case c == '{':
			n := p.node()
			if n == nil {
				return nil, false
			}
			nodes = append(nodes, n)
		case c == '(':
			p.pos++
			inner, ok := p.values(nil) // the tokens of a list are numbers and names
			if !ok || !p.open(')') {
				return nil, false
			}
			nodes = append(nodes, inner...)
		case c == 0, c == ')', c == '}':
			return nodes, true
		case c == ':' && !first && token != nil:
			return nodes, true
		default: // the first token of a value is never a key, whatever it looks like
			t := p.token()
			if token != nil {
				token(string(t))
			}
		}
	}
}

func (p *treeParser) node() *treeNode {
	p.pos++ // the brace
	n := &treeNode{name: string(p.token())}
	for p.peek() == ':' {
		f := treeField{key: string(p.token()[1:])}
		var ok bool
		if f.nodes, ok = p.values(func(t string) { f.tokens = append(f.tokens, t) }); !ok {
			return nil
		}
		n.fields = append(n.fields, f)
	}
	if !p.open('}') {
		return nil
	}
	return n
}

func (n *treeNode) field(key string) *treeField {
	for i := range n.fields {
		if n.fields[i].key == key {
			return &n.fields[i]
		}
	}
	return &treeField{}
}

// number is a field's value as a number; 0 without one.
func (n *treeNode) number(key string) uint32 {
	f := n.field(key)
	if len(f.tokens) == 0 {
		return 0
	}
	v, err := strconv.ParseUint(f.tokens[0], 10, 32)
	if err != nil {
		return 0
	}
	return uint32(v)
}

// text is the value of a CONST of type text. Its bytes follow a header of four: :constvalue 8 [ 32 0 0 0 117 115 101 114 ].
func (n *treeNode) text() (string, bool) {
	const header = 4
	f := n.field("constvalue")
	if n.name != "CONST" || n.number("consttype") != textType || len(f.tokens) < 2+header {
		return "", false
	}
	var b strings.Builder
	for _, t := range f.tokens[2+header:] { // the length and the bracket come first
		if t == "]" {
			return b.String(), true
		}
		v, err := strconv.ParseInt(t, 10, 16) // of a char, which may be signed
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(v))
	}
	return "", false
}
