package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// defaultRolePath is jwt-role-claim-key's default.
const defaultRolePath = "$.role"

// rolePath finds the role in a token's claims: a JSONPath query (RFC 9535), of
// which the first match counts.
type rolePath struct{ segments []segment }

// pathError says where in a path something is wrong.
type pathError struct {
	path   string
	offset int
	reason string
}

func (e *pathError) Error() string {
	return fmt.Sprintf("%s at character %d of %q", e.reason, e.offset+1, e.path)
}

// parseRolePath reads RFC 9535 syntax, which begins with "$", or the syntax that
// PostgREST had before version 16, which does not. Empty is the default.
func parseRolePath(path string) (rolePath, error) {
	switch {
	case path == "":
		return parseRolePath(defaultRolePath)
	case strings.HasPrefix(path, "$"):
		return parseQuery(path)
	}
	return parseLegacyPath(path)
}

// find returns the first match: a string as it is, other values as JSON.
func (p rolePath) find(c claims) (role string, ok bool) {
	if name, direct := p.claim(); direct {
		raw, ok := c[name]
		if !ok {
			return "", false
		}
		return textOf(decode(raw)), true
	}
	root := make(map[string]any, len(c))
	for name, raw := range c {
		root[name] = decode(raw)
	}
	matches := p.evaluate(root, root)
	if len(matches) == 0 {
		return "", false
	}
	return textOf(matches[0]), true
}

// claim returns the name if the path is one top-level claim, the common case:
// then the other claims need not be decoded.
func (p rolePath) claim() (string, bool) {
	if len(p.segments) != 1 || p.segments[0].descend || len(p.segments[0].selectors) != 1 {
		return "", false
	}
	name, ok := p.segments[0].selectors[0].(nameSelector)
	return string(name), ok
}

func decode(raw json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil // raw was parsed before
	}
	return v
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "" // v came from JSON
	}
	return string(b)
}

// segment is a child segment, or with descend a descendant segment, which looks
// in all depths (RFC 9535 section 2.5).
type segment struct {
	descend   bool
	selectors []selector
}

// selector appends what it selects of a node's children (RFC 9535 section 2.3).
type selector interface {
	selectFrom(node, root any, out []any) []any
}

func (p rolePath) evaluate(node, root any) []any {
	nodes := []any{node}
	for _, s := range p.segments {
		var next []any
		for _, n := range nodes {
			next = s.apply(n, root, next)
		}
		nodes = next
	}
	return nodes
}

func (s segment) apply(node, root any, out []any) []any {
	for _, sel := range s.selectors {
		out = sel.selectFrom(node, root, out)
	}
	if s.descend {
		for _, child := range children(node) {
			out = s.apply(child, root, out)
		}
	}
	return out
}

// children lists an array's elements, or an object's values by name: the RFC
// leaves their order open, and a role must not depend on chance.
func children(node any) []any {
	switch n := node.(type) {
	case []any:
		return n
	case map[string]any:
		out := make([]any, 0, len(n))
		for _, name := range slices.Sorted(maps.Keys(n)) {
			out = append(out, n[name])
		}
		return out
	}
	return nil
}

type (
	nameSelector     string
	indexSelector    int
	wildcardSelector struct{}
	sliceSelector    struct {
		start, end *int
		step       int
	}
	filterSelector struct{ test condition }
)

func (name nameSelector) selectFrom(node, _ any, out []any) []any {
	if object, ok := node.(map[string]any); ok {
		if v, ok := object[string(name)]; ok {
			return append(out, v)
		}
	}
	return out
}

func (i indexSelector) selectFrom(node, _ any, out []any) []any {
	array, _ := node.([]any)
	n := int(i)
	if n < 0 {
		n += len(array)
	}
	if n < 0 || n >= len(array) {
		return out
	}
	return append(out, array[n])
}

func (wildcardSelector) selectFrom(node, _ any, out []any) []any {
	return append(out, children(node)...)
}

// selectFrom follows RFC 9535 section 2.3.4.2.2.
func (s sliceSelector) selectFrom(node, _ any, out []any) []any {
	array, ok := node.([]any)
	if !ok || s.step == 0 {
		return out
	}
	n := len(array)
	bound := func(given *int, otherwise, least, most int) int {
		i := otherwise
		if given != nil {
			if i = *given; i < 0 {
				i += n
			}
		}
		return min(max(i, least), most)
	}
	if s.step > 0 {
		end := bound(s.end, n, 0, n)
		for i := bound(s.start, 0, 0, n); i < end; i += min(s.step, n) {
			out = append(out, array[i])
		}
		return out
	}
	end := bound(s.end, -1, -1, n-1)
	for i := bound(s.start, n-1, -1, n-1); i > end; i += max(s.step, -n) {
		out = append(out, array[i])
	}
	return out
}

func (f filterSelector) selectFrom(node, root any, out []any) []any {
	for _, child := range children(node) {
		if f.test.holds(child, root) {
			out = append(out, child)
		}
	}
	return out
}
