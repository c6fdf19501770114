package scenario

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// body reads a text as it is; a mapping or a list becomes JSON.
func (r *reader) body(p *string) take {
	return func(path string, n ast.Node) {
		switch n.(type) {
		case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
			var b jsonBody
			b.append(r, path, n)
			*p = string(b)
		default:
			r.text(p)(path, n)
		}
	}
}

// jsonBody is the JSON template of a YAML tree, in its order.
type jsonBody []byte

func (b *jsonBody) append(r *reader, path string, n ast.Node) {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		*b = append(*b, '{')
		separator := ""
		r.entries("{id: 1}", func(path, name string, n ast.Node) {
			*b = append(*b, separator...)
			b.string(name)
			*b = append(*b, ": "...)
			b.append(r, path, n)
			separator = ", "
		})(path, n)
		*b = append(*b, '}')
	case *ast.SequenceNode:
		*b = append(*b, '[')
		separator := ""
		r.sequence("[1, 2]", func(path string, n ast.Node) {
			*b = append(*b, separator...)
			b.append(r, path, n)
			separator = ", "
		})(path, n)
		*b = append(*b, ']')
	default:
		b.scalar(r, path, n)
	}
}

func (b *jsonBody) scalar(r *reader, path string, n ast.Node) {
	text, ok := scalar(n)
	switch n := n.(type) {
	case *ast.NullNode:
		*b, ok = append(*b, "null"...), true
	case *ast.BoolNode:
		*b = strconv.AppendBool(*b, n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		if ok = isNumber(text); ok {
			*b = append(*b, text...)
		}
	case *ast.InfinityNode, *ast.NanNode:
		ok = false
	default:
		b.text(text)
	}
	if !ok {
		r.problem(path, "JSON has no such value; write a text in quotes, a decimal number, true, false, null, a mapping or a list")
	}
}

// text is a string, unless it is all one variable: that is whatever the variable is.
func (b *jsonBody) text(s string) {
	if pieces, err := split(s); err == nil && len(pieces) == 1 && pieces[0].variable != "" {
		*b = append(*b, s...)
		return
	}
	b.string(s)
}

func (b *jsonBody) string(s string) {
	*b = append(appendJSON(append(*b, '"'), s), '"')
}
