package auth

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// condition is what stands in a filter selector (RFC 9535 section 2.3.5).
type condition interface{ holds(node, root any) bool }

// operand is one side of a comparison, or a function's argument. ok is false for
// the RFC's Nothing.
type operand interface {
	value(node, root any) (v any, ok bool)
}

type (
	anyOf    []condition
	allOf    []condition
	negation struct{ of condition }
)

func (cs anyOf) holds(node, root any) bool {
	for _, c := range cs {
		if c.holds(node, root) {
			return true
		}
	}
	return false
}

func (cs allOf) holds(node, root any) bool {
	for _, c := range cs {
		if !c.holds(node, root) {
			return false
		}
	}
	return true
}

func (n negation) holds(node, root any) bool { return !n.of.holds(node, root) }

// subquery begins at the node that is being tested (@) or at the root ($).
type subquery struct {
	fromRoot bool
	path     rolePath
}

func (q subquery) nodes(node, root any) []any {
	if q.fromRoot {
		node = root
	}
	return q.path.evaluate(node, root)
}

// holds is the existence test.
func (q subquery) holds(node, root any) bool { return len(q.nodes(node, root)) > 0 }

// value is that of a singular query, or of the function value().
func (q subquery) value(node, root any) (any, bool) {
	nodes := q.nodes(node, root)
	if len(nodes) != 1 {
		return nil, false
	}
	return nodes[0], true
}

// singular tells whether the query has one node at most (RFC 9535 section 2.3.5.1).
func (q subquery) singular() bool {
	for _, s := range q.path.segments {
		if s.descend || len(s.selectors) != 1 {
			return false
		}
		switch s.selectors[0].(type) {
		case nameSelector, indexSelector:
		default:
			return false
		}
	}
	return true
}

type literal struct{ v any }

func (l literal) value(any, any) (any, bool) { return l.v, true }

// comparison follows RFC 9535 section 2.3.5.2.2.
type comparison struct {
	op          string
	left, right operand
}

func (c comparison) holds(node, root any) bool {
	l, lok := c.left.value(node, root)
	r, rok := c.right.value(node, root)
	equal := lok == rok && (!lok || same(l, r))
	both := lok && rok
	switch c.op {
	case "==":
		return equal
	case "!=":
		return !equal
	case "<":
		return both && less(l, r)
	case "<=":
		return equal || both && less(l, r)
	case ">":
		return both && less(r, l)
	case ">=":
		return equal || both && less(r, l)
	}
	return false
}

func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || number(a) == number(b))
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			if w, ok := b[name]; !ok || !same(v, w) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b) // string, bool or null
}

func less(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && number(a) < number(b)
	case string:
		b, ok := b.(string)
		return ok && a < b
	}
	return false
}

func number(n json.Number) float64 {
	f, _ := n.Float64() // out of range is an infinity
	return f
}

// RFC 9535's functions length(), count() and value().
type (
	lengthOf struct{ of operand }
	countOf  struct{ of subquery }
	valueOf  struct{ of subquery }
)

func (v valueOf) value(node, root any) (any, bool) { return v.of.value(node, root) }

func (l lengthOf) value(node, root any) (any, bool) {
	v, _ := l.of.value(node, root)
	switch v := v.(type) {
	case string:
		return numberOf(utf8.RuneCountInString(v)), true
	case []any:
		return numberOf(len(v)), true
	case map[string]any:
		return numberOf(len(v)), true
	}
	return nil, false
}

func (c countOf) value(node, root any) (any, bool) {
	return numberOf(len(c.of.nodes(node, root))), true
}

// matching is RFC 9535's match(), which wants the whole string, or search().
type matching struct {
	text, pattern operand
	whole         bool
	compiled      *regexp.Regexp // of a literal pattern; nil if it is another or invalid
}

func numberOf(n int) json.Number { return json.Number(strconv.Itoa(n)) }

func (m matching) holds(node, root any) bool {
	v, _ := m.text.value(node, root)
	text, ok := v.(string)
	if !ok {
		return false
	}
	re := m.compiled
	if re == nil {
		p, _ := m.pattern.value(node, root)
		pattern, ok := p.(string)
		if !ok {
			return false
		}
		var err error
		if re, err = compile(pattern, m.whole); err != nil {
			return false // section 2.4.6: an invalid pattern matches nothing
		}
	}
	return re.MatchString(text)
}

func compile(pattern string, whole bool) (*regexp.Regexp, error) {
	if whole {
		pattern = `\A(?:` + pattern + `)\z`
	}
	return regexp.Compile(pattern)
}

// stringTest is a filter of the older syntax: it holds for strings alone.
type stringTest struct{ op, text string }

func (t stringTest) holds(node, _ any) bool {
	s, ok := node.(string)
	if !ok {
		return false
	}
	switch t.op {
	case "==":
		return s == t.text
	case "!=":
		return s != t.text
	case "^==":
		return strings.HasPrefix(s, t.text)
	case "==^":
		return strings.HasSuffix(s, t.text)
	case "*==":
		return strings.Contains(s, t.text)
	}
	return false
}
