package scenario

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/slipstream-go/slipstream/internal/nearest"
)

// Load reads a scenario file.
func Load(path string) (*Scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// Parse reads a scenario. All that is wrong with it is in the error, one problem a line: name:line:column: where in the
// scenario: what, and what to do about it. Files and the environment are not looked at, which Scenario.Load does.
func Parse(name string, text []byte) (*Scenario, error) {
	r := reader{name: name, places: map[string]*token.Token{}}
	s := new(Scenario)
	if root, ok := r.parse(text); ok {
		r.scenario(s)("", root)
	}
	if len(r.problems) == 0 { // otherwise much would be found missing that is there, but wrong
		for _, p := range s.check() {
			r.problem(p.path, "%s", p.text)
		}
	}
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	return s, nil
}

// reader reads YAML's syntax tree, and remembers where everything was.
type reader struct {
	name     string
	places   map[string]*token.Token // by path
	problems []error
}

// problem is one at a path, which is shown with the place of the nearest thing that has one.
func (r *reader) problem(path, text string, args ...any) {
	at := r.name
	for near := path; ; near = near[:strings.LastIndexAny(near, ".[")] {
		if t := r.places[near]; t != nil {
			at = fmt.Sprintf("%s:%d:%d", r.name, t.Position.Line, t.Position.Column)
			break
		}
		if !strings.ContainsAny(near, ".[") {
			break
		}
	}
	if path != "" {
		at += ": " + path
	}
	r.problems = append(r.problems, fmt.Errorf("%s: %w", at, fmt.Errorf(text, args...)))
}

// parse gives the root of the tree.
func (r *reader) parse(text []byte) (root ast.Node, ok bool) {
	if !utf8.Valid(text) {
		r.problem("", "not UTF-8; save the file as such")
		return nil, false
	}
	file, err := parser.ParseBytes(text, 0)
	var syntax *yaml.SyntaxError
	switch {
	case errors.As(err, &syntax) && syntax.Token != nil:
		r.places[""] = syntax.Token
		r.problem("", "not YAML: %s", syntax.Message)
	case err != nil:
		r.problem("", "not YAML: %w", err)
	case len(file.Docs) > 1 && file.Docs[1].Body != nil:
		r.places[""] = file.Docs[1].Body.GetToken()
		r.problem("", "a second document begins here; a scenario is one, so remove the line ---")
	case len(file.Docs) == 0:
		return nil, true
	default:
		r.note("", file.Docs[0].Body)
		return file.Docs[0].Body, true
	}
	return nil, false
}

// take reads a node at a path.
type take func(path string, n ast.Node)

// field of a mapping.
type field struct {
	name string
	take take
}

// mapping reads entries that are fields. What a mapping of this kind looks like is the remedy if it is none.
func (r *reader) mapping(example string, fields ...field) take {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return r.entries(example, func(path, name string, n ast.Node) {
		for _, f := range fields {
			if f.name == name {
				f.take(path, n)
				return
			}
		}
		if meant := nearest.Name(name, names); meant != "" {
			r.problem(path, "there is no such field; did you mean %s?", meant)
			return
		}
		r.problem(path, "there is no such field; there are %s", strings.Join(names, ", "))
	})
}

// entries reads a mapping of any names.
func (r *reader) entries(example string, each func(path, name string, n ast.Node)) take {
	return func(path string, n ast.Node) {
		entries, ok := entriesOf(n)
		if !ok {
			r.problem(path, "write a mapping, such as %s", example)
		}
		for _, e := range entries {
			name, ok := scalar(e.Key)
			if _, merge := e.Key.(*ast.MergeKeyNode); merge || !ok {
				r.note(path, e.Key)
				r.problem(path, "write plain names before the colons")
				continue
			}
			at := name
			if path != "" {
				at = path + "." + name
			}
			r.note(at, e.Key)
			each(at, name, e.Value)
		}
	}
}

func entriesOf(n ast.Node) (entries []*ast.MappingValueNode, ok bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// sequence reads a list.
func (r *reader) sequence(example string, each take) take {
	return func(path string, n ast.Node) {
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			r.problem(path, "write a list, such as %s", example)
			return
		}
		for i, item := range list.Values {
			at := fmt.Sprintf("%s[%d]", path, i)
			r.note(at, item)
			each(at, item)
		}
	}
}

// note remembers where a path is.
func (r *reader) note(path string, n ast.Node) {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key // the token of a mapping is its first colon
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		n = v.Key
	}
	if n != nil {
		r.places[path] = n.GetToken()
	}
}

// scalar is the text of one as it is written, so that 007 stays what it is.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}
