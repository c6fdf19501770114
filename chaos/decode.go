package chaos

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder fills structs from YAML, and from JSON, which is YAML. Each problem has its place, and all are reported.
type decoder struct {
	name     string // of the file
	problems []error
}

// decode reads a document into a pointer to a struct, by the JSON names of its fields.
func decode(name string, source []byte, into any) error {
	d := &decoder{name: name}
	file, err := parser.ParseBytes(source, 0)
	if err != nil {
		if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok && syntax.Token != nil {
			return fmt.Errorf("%s: not YAML: %s", d.at(syntax.Token), syntax.Message)
		}
		return fmt.Errorf("%s: not YAML: %w", name, err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return fmt.Errorf("%s: there must be one document in it, and something in that", name)
	}
	d.value(file.Docs[0].Body, reflect.ValueOf(into).Elem())
	return errors.Join(d.problems...)
}

func (d *decoder) at(t *token.Token) string {
	return fmt.Sprintf("%s:%d:%d", d.name, t.Position.Line, t.Position.Column)
}

func (d *decoder) problem(n ast.Node, format string, args ...any) {
	if entries, _ := mapping(n); len(entries) > 0 {
		n = entries[0].Key // a mapping's own token is its first colon
	}
	d.problems = append(d.problems, fmt.Errorf("%s: %w", d.at(n.GetToken()), fmt.Errorf(format, args...)))
}

func (d *decoder) value(n ast.Node, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	entries, isMapping := mapping(n)
	reader, readsText := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case v.Kind() == reflect.Struct && (isMapping || !readsText):
		d.structure(n, entries, isMapping, v)
	case readsText:
		if text, ok := d.scalar(n); ok {
			d.check(n, reader.UnmarshalText([]byte(text)))
		}
	case v.Kind() == reflect.Map:
		d.dictionary(n, entries, isMapping, v)
	case v.Kind() == reflect.Slice:
		d.list(n, v)
	default:
		if text, ok := d.scalar(n); ok {
			d.check(n, setScalar(v, text))
		}
	}
}

// check reports each problem of a value as one of its own.
func (d *decoder) check(n ast.Node, err error) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		d.problem(n, "%s", strings.TrimSpace(line))
	}
}

func (d *decoder) structure(n ast.Node, entries []*ast.MappingValueNode, ok bool, v reflect.Value) {
	fields := fieldsOf(v)
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	slices.Sort(known)
	if !ok {
		d.problem(n, "write a mapping with some of %s", strings.Join(known, ", "))
		return
	}
	before := len(d.problems)
	for _, e := range entries {
		if field, ok := fields[keyText(e)]; ok {
			d.value(e.Value, field)
		} else {
			d.problem(e.Key, "there is no %s here; there are %s", keyText(e), strings.Join(known, ", "))
		}
	}
	if checked, ok := v.Addr().Interface().(interface{ Validate() error }); ok && len(d.problems) == before {
		d.check(n, checked.Validate())
	}
}

// fieldsOf gives the fields of a struct by name, and those of structs that are embedded in it.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			for name, field := range fieldsOf(v.Field(i)) {
				fields[name] = field
			}
		} else if name := f.Tag.Get("json"); name != "" && name != "-" {
			fields[name] = v.Field(i)
		}
	}
	return fields
}

func (d *decoder) dictionary(n ast.Node, entries []*ast.MappingValueNode, ok bool, v reflect.Value) {
	if !ok {
		d.problem(n, "write a mapping of names")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range entries {
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, element)
		v.SetMapIndex(reflect.ValueOf(keyText(e)), element)
	}
}

func (d *decoder) list(n ast.Node, v reflect.Value) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problem(n, "write a list, as in [a, b]")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values)))
	for i, item := range sequence.Values {
		d.value(item, v.Index(i))
	}
}

func setScalar(v reflect.Value, text string) (err error) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		var t time.Duration
		t, err = duration(text)
		v.SetInt(int64(t))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		v.SetBool(text == "true")
		if text != "true" && text != "false" {
			err = fmt.Errorf("%q is neither true nor false", text)
		}
	case v.CanUint():
		var n uint64
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			err = fmt.Errorf("%q is no whole number from 0", text)
		}
		v.SetUint(n)
	default:
		var n int64
		if n, err = strconv.ParseInt(text, 10, 32); err != nil {
			err = fmt.Errorf("%q is no whole number", text)
		}
		v.SetInt(n)
	}
	return err
}

// mapping gives the entries of a mapping.
func mapping(n ast.Node) (entries []*ast.MappingValueNode, ok bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keyText(e *ast.MappingValueNode) string {
	if s, ok := e.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return e.Key.String()
}

// scalar is the text of a scalar as it is written.
func (d *decoder) scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSuffix(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	d.problem(n, "write a plain value; mappings, lists, anchors, aliases and tags are not possible here")
	return "", false
}
