package slipstream

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// RateLimit is a policy: how much is allowed, whom it is for, and which requests count.
type RateLimit struct {
	// Name is in headers, metrics and logs. Names are different.
	Name string
	// By is what callers are told apart by: ip, sub, role, claim:NAME, header:NAME, route, method. Nothing counts all together;
	// requests without one of them are not counted.
	By []string
	// Quota is how much is allowed in Window, and Burst how much at once; 0 is Quota. In any stretch of time as long as Window, at
	// most Quota + Burst are used.
	Quota  int
	Window time.Duration
	Burst  int
	// Routes are paths such as /orders, or with * at the end their beginnings; Methods are in capitals; Roles are those of the
	// database. Of each nothing means all.
	Routes, Methods, Roles []string
	// Cost is what requests take by route; 1 where nothing is said.
	Cost map[string]int
	// Count is requests, by default, or failed-tokens for requests whose token is refused alone.
	Count string
	// DryRun counts without refusing.
	DryRun bool
}

// all lists what an entry can have in the order of the documentation.
func (l *RateLimit) all() []guard {
	return []guard{
		{"name", (*text)(&l.Name)},
		{"by", list{p: &l.By}},
		{"quota", number{p: &l.Quota, min: 1}},
		{"window", duration{p: &l.Window}},
		{"burst", number{p: &l.Burst, min: 1}},
		{"routes", list{p: &l.Routes}},
		{"methods", list{p: &l.Methods}},
		{"roles", list{p: &l.Roles}},
		{"cost", costs{&l.Cost}},
		{"count", choice{&l.Count, []string{"requests", failedTokens}}},
		{"dry-run", (*enabled)(&l.DryRun)},
	}
}

const failedTokens = "failed-tokens"

// costs are numbers by route.
type costs struct{ p *map[string]int }

func (v costs) set(string) error {
	return errors.New("write a mapping of routes to costs, such as {/big_report: 5}")
}

func (v costs) check() error {
	for _, route := range sortedKeys(*v.p) {
		if n := (*v.p)[route]; n < 1 {
			return fmt.Errorf("%s: %d is too small; write at least 1", route, n)
		}
	}
	return nil
}

func (v costs) String() string { return fmt.Sprint(*v.p) }
func (v costs) unset() bool    { return len(*v.p) == 0 }
func (v costs) kind() string   { return "costs by route" }
func (v costs) plain() any     { return maps.Clone(*v.p) }
func (v costs) schema() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "integer", "minimum": 1}}
}

// limits are policies in the order in which they are written.
type limits struct{ p *[]RateLimit }

// set reads YAML, and so JSON.
func (v limits) set(text string) error {
	*v.p = nil
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return fmt.Errorf("neither JSON nor YAML: %s", strings.SplitN(err.Error(), "\n", 2)[0])
	}
	r := limitReader{}
	for _, doc := range file.Docs {
		r.read(doc.Body)
	}
	if len(r.problems) > 0 {
		return r.problems[0]
	}
	*v.p = r.entries
	return nil
}

func (v limits) check() error {
	seen := map[string]bool{}
	for i := range *v.p {
		entry := &(*v.p)[i]
		if err := entry.check(); err != nil {
			return fmt.Errorf("%s: %w", entry.title(i), err)
		}
		if seen[entry.Name] {
			return fmt.Errorf("%s: there are two of that name; rename one", entry.Name)
		}
		seen[entry.Name] = true
	}
	return nil
}

// title names an entry in messages.
func (l *RateLimit) title(i int) string {
	if l.Name != "" {
		return l.Name
	}
	return "policy " + strconv.Itoa(i+1)
}

func (v limits) String() string {
	if v.unset() {
		return ""
	}
	b, err := yaml.MarshalWithOptions(v.plain(), yaml.JSON())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (v limits) unset() bool  { return len(*v.p) == 0 }
func (v limits) kind() string { return "list of policies" }

func (v limits) schema() map[string]any {
	properties := map[string]any{}
	for _, g := range new(RateLimit).all() {
		properties[g.name] = g.schema()
	}
	return map[string]any{"type": []string{"array", "string", "null"}, "items": map[string]any{
		"type": "object", "properties": properties, "additionalProperties": false, "required": []string{"name", "quota", "window"},
	}}
}

func (v limits) plain() any {
	all := []yaml.MapSlice{}
	for i := range *v.p {
		plain := yaml.MapSlice{}
		for _, g := range (*v.p)[i].all() {
			if !g.unset() {
				plain = append(plain, yaml.MapItem{Key: g.name, Value: g.plain()})
			}
		}
		all = append(all, plain)
	}
	return all
}

// limitReader reads policies from a syntax tree.
type limitReader struct {
	entries  []RateLimit
	problems []error
	// at is where a node stands, in a file; nil elsewhere.
	at func(ast.Node) string
}

func (r *limitReader) problem(n ast.Node, path string, err error) {
	if path != "" {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if r.at != nil {
		err = fmt.Errorf("%s: %s: %w", r.at(n), limitsOption, err)
	}
	r.problems = append(r.problems, err)
}

func (r *limitReader) read(n ast.Node) {
	if nothing, ok := mappingOf(n); ok && len(nothing) == 0 {
		return
	}
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		r.problem(n, "", errors.New("write a list of policies, such as [{name: per-user, by: sub, quota: 100, window: 1m}]"))
		return
	}
	for i, item := range sequence.Values {
		before := len(r.problems)
		entry := r.entry(i, item)
		if err := entry.check(); err != nil && len(r.problems) == before {
			r.problem(item, entry.title(i), err)
		}
		if slices.ContainsFunc(r.entries, func(other RateLimit) bool { return other.Name != "" && other.Name == entry.Name }) {
			r.problem(item, entry.Name, errors.New("there are two of that name; rename one"))
		}
		r.entries = append(r.entries, entry)
	}
}

func (r *limitReader) entry(i int, n ast.Node) (entry RateLimit) {
	all := entry.all()
	fields, ok := mappingOf(n)
	if !ok {
		r.problem(n, entry.title(i), errors.New("write a mapping, such as {name: per-user, by: sub, quota: 100, window: 1m}"))
	}
	for _, e := range fields {
		path := entry.title(i) + ": " + keyText(e)
		at := slices.IndexFunc(all, func(g guard) bool { return g.name == keyText(e) })
		if at < 0 {
			r.problem(e.Key, path, errors.New("there is no such field; write "+guardNames(all)))
			continue
		}
		if err := takeNode(all[at], e.Value); err != nil {
			r.problem(e.Value, path, err)
		}
	}
	return entry
}

// takeNode sets and checks a field.
func takeNode(g guard, n ast.Node) error {
	if c, ok := g.value.(costs); ok {
		return c.take(n)
	}
	text, plain := scalarText(n)
	if _, ok := g.value.(list); ok {
		text, plain = scalarsText(n)
	}
	if !plain {
		return errNoScalar
	}
	return g.take(text)
}

func (v costs) take(n ast.Node) error {
	entries, ok := mappingOf(n)
	if !ok {
		return v.set("")
	}
	*v.p = map[string]int{}
	for _, e := range entries {
		text, _ := scalarText(e.Value)
		units, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s: %q is not a whole number", keyText(e), text)
		}
		(*v.p)[keyText(e)] = units
	}
	return v.check()
}
