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
	entries, ok := mappingOf(n)
	if !ok {
		f.problem(f.at(n.GetToken()), "%s", remedy)
	}
	for _, entry := range entries {
		each(entry)
	}
}

// mappingOf gives the entries of a mapping; what is neither that nor nothing at all is not ok.
func mappingOf(n ast.Node) (entries []*ast.MappingValueNode, ok bool) {
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil, true
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
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
	if _, ok := scalarText(e.Value); a.name == relationsOption && !ok {
		f.relations(a, e.Value)
		return
	}
	if f.known.isMapping(a.name) {
		if _, ok := mappingOf(e.Value); ok {
			a.text = e.Value.String()
			f.assign(a)
			return
		}
	}
	if _, ok := scalarText(e.Value); a.name == limitsOption && !ok {
		f.limits(a, e.Value)
		return
	}
	f.assignNode(a, e.Value)
}

// limits reads policies, whose problems have places of their own.
func (f *fileReader) limits(a assignment, n ast.Node) {
	r := limitReader{at: func(n ast.Node) string { return f.at(n.GetToken()) }}
	r.read(n)
	f.problems = append(f.problems, r.problems...)
	if len(r.problems) == 0 {
		a.text = limits{&r.entries}.String()
		f.assign(a)
	}
}

// relations reads the guards of relations, whose problems have places of their own.
func (f *fileReader) relations(a assignment, n ast.Node) {
	r := guardReader{entries: map[string]RelationGuards{}, at: func(n ast.Node) string { return f.at(n.GetToken()) }}
	r.read(n)
	f.problems = append(f.problems, r.problems...)
	if len(r.problems) == 0 {
		a.text = relations{&r.entries}.String()
		f.assign(a)
	}
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

var errNoScalar = errors.New("write a plain value; mappings, anchors, aliases and tags are not possible here")

func (f *fileReader) scalar(place string, n ast.Node) (string, bool) {
	text, ok := scalarText(n)
	if !ok {
		f.problem(place, "%w", errNoScalar)
	}
	return text, ok
}

// scalarText is the text of a scalar as it is written: 0660 stays what it is.
func scalarText(n ast.Node) (string, bool) {
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
	return "", false
}
