package slipstream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yaml reads a YAML file: one mapping of option names to scalars or lists, and app.settings to a mapping.
func (f *fileReader) yaml(source []byte) {
	file, err := parser.ParseBytes(source, 0)
	if err != nil {
		f.yamlSyntax(err)
		return
	}
	for _, doc := range file.Docs {
		f.entries(doc.Body, "write lines of the form option: value", f.entry)
	}
}

func (f *fileReader) yamlSyntax(err error) {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil {
		f.problem(f.at(syntax.Token), "not YAML: %s", syntax.Message)
		return
	}
	f.problem(f.path, "not YAML: %w", err)
}

func (f *fileReader) at(t *token.Token) string {
	return position(f.path, t.Position.Line, t.Position.Column)
}

func position(path string, line, column int) string {
	return fmt.Sprintf("%s:%d:%d", path, line, column)
}

// entries calls each with the entries of a mapping; nothing at all is an empty one.
func (f *fileReader) entries(n ast.Node, remedy string, each func(*ast.MappingValueNode)) {
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingNode:
		for _, entry := range n.Values {
			each(entry)
		}
	case *ast.MappingValueNode:
		each(n)
	default:
		f.problem(f.at(n.GetToken()), "%s", remedy)
	}
}

func (f *fileReader) entry(e *ast.MappingValueNode) {
	at := e.Key.GetToken().Position
	a, ok := f.key(keyText(e), at.Line, at.Column)
	if !ok {
		return
	}
	if a.name == appSettings && a.member == "" {
		f.entries(e.Value, appSettings+": write a mapping of names to texts", f.appSetting)
		return
	}
	f.assignNode(a, e.Value)
}

func keyText(e *ast.MappingValueNode) string {
	if s, ok := e.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return e.Key.String()
}

func (f *fileReader) appSetting(e *ast.MappingValueNode) {
	at := e.Key.GetToken().Position
	if a, ok := f.key(appSettings+"."+keyText(e), at.Line, at.Column); ok {
		f.assignNode(a, e.Value)
	}
}

func (f *fileReader) assignNode(a assignment, n ast.Node) {
	if sequence, ok := n.(*ast.SequenceNode); ok && a.member == "" {
		a.isList, a.items = true, []string{}
		for _, item := range sequence.Values {
			text, ok := f.scalar(a.place, item)
			if !ok {
				return
			}
			a.items = append(a.items, text)
		}
		f.assign(a)
		return
	}
	var ok bool
	if a.text, ok = f.scalar(a.place, n); ok {
		f.assign(a)
	}
}

// scalar is the text of a scalar as it is written: 0660 stays what it is.
func (f *fileReader) scalar(place string, n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSuffix(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	f.problem(place, "write a plain value; mappings, anchors, aliases and tags are not possible here")
	return "", false
}
