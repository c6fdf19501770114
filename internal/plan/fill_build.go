package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// fillBuilder finds out what a read depends on.
type fillBuilder struct {
	*builder
	root   *node
	answer answer
	tested map[*node]bool // embeds of which conditions ask whether they have rows
	keyed  bool           // the statement can bring the keys of the rows shown
	out    Fill
}

// fill tells how a read's answer can be kept.
func (b *builder) fill(out *Read, root *node, a answer) *Fill {
	f := &fillBuilder{builder: b, root: root, answer: a, tested: map[*node]bool{}}
	if because := f.refuse(out); because != "" {
		return &Fill{Because: because}
	}
	f.keyed = out.Keyset == nil && out.Function == nil && f.shows(root)
	if out.Function == nil {
		f.level(root, noLevel)
	} else { // its rows come from what it reads
		for _, c := range root.children {
			f.level(c, noLevel)
		}
	}
	f.keyed = f.keyed && len(f.out.Levels) > 0
	f.out.keyed = f.keyed
	slices.Sort(f.out.Tables)
	f.out.Tables = slices.Compact(f.out.Tables)
	f.out.Settings = schema.SortSettings(f.out.Settings)
	f.statements(out)
	return &f.out
}

// refuse says why the answer must not be kept, or nothing.
func (f *fillBuilder) refuse(out *Read) string {
	switch {
	case out.Format == Explained:
		return "is a query plan"
	case out.Format != Body:
		return "is streamed"
	case out.EstimateSQL != "":
		return "has an estimated count"
	case f.answer.render == renderCustom:
		return "is rendered by a function of the database"
	case f.answer.render == renderGeoJSON:
		return "is rendered by PostGIS"
	}
	if out.Function != nil {
		if because := f.calls(out.Function.Name.Name, out.Function.Volatility, &out.Function.Reach); because != "" {
			return because
		}
		f.arguments(out.Function)
		if f.root.relation == nil {
			return f.refuseResult()
		}
	}
	return f.refuseLevel(f.root)
}

// calls makes the answer depend on what a function reads, or says why that cannot be.
func (f *fillBuilder) calls(name string, v schema.Volatility, reach *schema.Reach) string {
	switch {
	case v == schema.Volatile:
		return "calls " + name + "(), which is volatile"
	case reach.Opaque != "":
		return reach.Opaque
	}
	f.out.Tables = append(f.out.Tables, reach.Tables...)
	f.out.Settings = append(f.out.Settings, reach.Settings...)
	return ""
}

// arguments of types other than these could be 'now'. Which of the values they are is not worth finding out.
func (f *fillBuilder) arguments(fn *schema.Function) {
	moves := func(p schema.Param) bool { return !stillTypes[strings.TrimSuffix(p.Type, "[]")] }
	if slices.ContainsFunc(fn.Params, moves) {
		for i := range f.request.Query.Values {
			f.out.Moving = append(f.out.Moving, request.Value(i))
		}
	}
}

// refuseResult takes a function's result as it comes only: of its columns too little is known.
func (f *fillBuilder) refuseResult() string {
	n := f.root
	if len(n.children)+len(n.where)+len(n.order) > 0 {
		return "chooses of a function's result"
	}
	for i := range n.fields {
		if s := &n.fields[i]; s.cast != "" || s.aggregate != request.NoAggregate || len(s.column.Path) > 0 {
			return "chooses of a function's result"
		}
	}
	return ""
}

func (f *fillBuilder) refuseLevel(n *node) string {
	if n.relation == nil || n.rel != nil && n.rel.Function != nil {
		return "has a computed relationship"
	}
	because := opaque(n.relation)
	if n.junction != "" && because == "" {
		because = opaque(f.snapshot.Relations[n.rel.Junction.Table])
	}
	for _, list := range [][]selected{n.fields, n.extra} {
		for i := range list {
			because = firstOf(because, f.refuseOutput(n, &list[i]))
		}
	}
	for i := range n.order {
		if o := &n.order[i]; o.table == "" { // else an output of an embed, which is looked at there
			because = firstOf(because, f.refuseField(n, &o.field), n.refuseOperators(&o.field))
		}
	}
	for i := range n.where {
		because = firstOf(because, f.refusePredicate(n, &n.where[i]))
	}
	for _, c := range n.children {
		because = firstOf(because, f.refuseLevel(c))
	}
	return because
}

func firstOf(reasons ...string) string {
	for _, r := range reasons {
		if r != "" {
			return r
		}
	}
	return ""
}

func opaque(r *schema.Relation) string {
	switch {
	case r == nil:
		return "has a junction that is not exposed"
	case r.Reach.Opaque != "":
		return r.Name.Name + " " + r.Reach.Opaque
	}
	return ""
}

// refuseField knows columns as they are stored, and computed fields as far as their functions are known.
func (f *fillBuilder) refuseField(n *node, c *field) string {
	if c.present || c.column.Name == "*" {
		return ""
	}
	if _, ok := n.relation.Column(c.column.Name); !ok {
		return f.refuseComputed(n, c.column.Name)
	}
	if c.transform != (schema.Name{}) {
		return "has a data representation"
	}
	return ""
}

// refuseComputed finds the function of a computed field: the one in the request's schema, which comes first in the search
// path, that takes a row of the relation.
func (f *fillBuilder) refuseComputed(n *node, name string) string {
	c, ok := n.relation.Computed[schema.Name{Schema: f.request.Schema, Name: name}]
	if !ok {
		return "has a computed field"
	}
	return f.calls(name, c.Volatility, &c.Reach)
}

func (f *fillBuilder) refuseOutput(n *node, s *selected) string {
	if s.table != "" {
		return "" // an output of an embed, which is looked at there
	}
	if because := f.refuseField(n, &s.field); because != "" {
		return because
	}
	column, ok := n.relation.Column(s.column.Name)
	if computed := !ok && s.column.Name != "*"; computed && s.cast == "" && s.aggregate == request.NoAggregate {
		return ""
	} else if computed {
		return "has a cast or aggregate of a computed field"
	}
	if ok && s.aggregate != request.NoAggregate && s.aggregate != request.Count {
		if because := n.refuseOperators(&s.field); because != "" {
			return because
		}
	}
	for _, cast := range []string{s.cast, s.aggregateCast} {
		dated := ok && len(s.column.Path) == 0 && isDate(column.Type)
		if cast != "" && !stillTypes[strings.ToLower(cast)] && (!dated || !isDate(strings.ToLower(cast))) {
			return "has a cast to " + cast
		}
	}
	return ""
}

// refuseOperators: the operators of PostgreSQL's own types and of enums are known, those of extensions are not.
func (n *node) refuseOperators(f *field) string {
	column, ok := n.relation.Column(f.column.Name)
	if ok && strings.Contains(column.Type, ".") && len(column.Enum) == 0 {
		return "compares values of a type that is not PostgreSQL's own"
	}
	return ""
}

func (f *fillBuilder) refusePredicate(n *node, p *predicate) string {
	switch {
	case p.embed != nil:
		f.tested[p.embed] = true
		return ""
	case p.condition == nil:
		for i := range p.children {
			if because := f.refusePredicate(n, &p.children[i]); because != "" {
				return because
			}
		}
		return ""
	}
	if because := firstOf(f.refuseField(n, &p.field), n.refuseOperators(&p.field)); because != "" {
		return because
	}
	column, ok := n.relation.Column(p.field.column.Name)
	if !ok {
		return "compares with a computed field"
	}
	if c := p.condition; c.Value != request.NoValue && len(c.Column.Path) == 0 && !p.field.tsvector && !still(column) {
		f.out.Moving = append(f.out.Moving, c.Value)
	}
	return ""
}

// stillTypes are the types whose input does not depend on the time.
var stillTypes = map[string]bool{
	"text": true, "character varying": true, "varchar": true, "character": true, "bpchar": true, "name": true, `"char"`: true,
	"smallint": true, "integer": true, "bigint": true, "int": true, "int2": true, "int4": true, "int8": true,
	"numeric": true, "decimal": true, "real": true, "double precision": true, "float4": true, "float8": true,
	"boolean": true, "bool": true, "uuid": true, "json": true, "jsonb": true, "bytea": true, "tsvector": true,
	"inet": true, "cidr": true, "macaddr": true, "bit": true, "bit varying": true,
}

func still(c *schema.Column) bool {
	return stillTypes[strings.TrimSuffix(c.Type, "[]")] || len(c.Enum) > 0
}

func isDate(name string) bool {
	switch name {
	case "date", "timestamp without time zone", "timestamp with time zone", "timestamp", "timestamptz":
		return true
	}
	return false
}

// shows is true where each row of the answer, and of every embed, is a row of a relation.
func (f *fillBuilder) shows(n *node) bool {
	if n.grouped() || n.spread != noSpread || n.rel != nil && n.empty() {
		return false
	}
	for _, c := range n.children {
		if c.ordered || !f.shows(c) { // what the level is ordered by must be in sight
			return false
		}
	}
	return true
}

// level adds what the level and those below it depend on.
func (f *fillBuilder) level(n *node, parent int) {
	reach := &n.relation.Reach
	f.out.Settings = append(f.out.Settings, reach.Settings...)
	if n.junction != "" {
		junction := &f.snapshot.Relations[n.rel.Junction.Table].Reach
		f.out.Settings = append(f.out.Settings, junction.Settings...)
		f.out.Tables = append(f.out.Tables, junction.Tables...)
	}
	index := noLevel
	if l, ok := f.exact(n, parent); ok {
		index = len(f.out.Levels)
		f.out.Levels = append(f.out.Levels, l)
		if parent != noLevel {
			p := &f.out.Levels[parent]
			p.children = append(p.children, index)
			for _, c := range l.links {
				p.position(c)
			}
		}
	} else {
		f.out.Tables = append(f.out.Tables, reach.Tables...)
	}
	for _, c := range n.children {
		f.level(c, index)
	}
}

// exact describes the level, or returns false where any change of its table has to count.
func (f *fillBuilder) exact(n *node, parent int) (Level, bool) {
	l := Level{node: n, parent: parent, Hidden: n.offset}
	if !n.relation.Reach.Single {
		return l, false
	}
	l.Table = n.relation.Reach.Tables[0]
	for i := range n.where {
		l.test(n, &n.where[i])
	}
	if n == f.root {
		l.Hidden = l.Hidden || f.request.Prefer.Count == "exact"
	} else if parent == noLevel || !f.follows(n, &l) {
		return l, false
	}
	if !f.keyed {
		l.Hidden = true
		return l, n == f.root
	}
	if !l.keys(n.relation) {
		return l, false
	}
	if n.limit {
		a := n.limitArg()
		l.Limit = &a
		l.order(n)
	}
	return l, true
}

// follows is true for an embed that shows rows and decides about none of the parent's, and is joined by columns.
func (f *fillBuilder) follows(n *node, l *Level) bool {
	if n.junction != "" || n.join == request.JoinInner || f.tested[n] {
		return false
	}
	for _, p := range n.rel.Columns {
		left, ok := n.parent.relation.Column(p.Left)
		right, found := n.relation.Column(p.Right)
		if !ok || !found || !kindOf(left).keyable() || kindOf(left) != kindOf(right) {
			return false
		}
		l.Link = append(l.Link, right.Number)
		l.links = append(l.links, left)
	}
	return len(l.Link) > 0
}

// test adds the conditions that every row shown fulfils and that can be told outside the database.
func (l *Level) test(n *node, p *predicate) {
	switch c := p.condition; {
	case p.embed != nil:
	case c == nil && !p.or && !p.not:
		for i := range p.children {
			l.test(n, &p.children[i])
		}
	case c == nil || c.Not || len(c.Column.Path) > 0 || c.Quantifier != request.NoQuantifier:
	default:
		column, ok := n.relation.Column(c.Column.Name)
		if kind := kindOf(column); ok && kind != Incomparable {
			l.Filter = append(l.Filter, Test{column.Number, kind, c})
		}
	}
}

// keys adds the primary key, and reports whether there is one whose text tells rows apart.
func (l *Level) keys(r *schema.Relation) bool {
	for _, name := range r.PrimaryKey {
		c, ok := r.Column(name)
		if !ok || !kindOf(c).keyable() {
			return false
		}
		l.Key = append(l.Key, c.Number)
		l.position(c)
	}
	return len(l.Key) > 0
}

// order notes the order that a limit cuts.
func (l *Level) order(n *node) {
	var names []string
	known := n.rel == nil // the last row of each parent would be needed, else
	for i := range n.order {
		o := &n.order[i]
		column, ok := n.relation.Column(o.column.Name)
		if !ok || o.table != "" || len(o.column.Path) > 0 {
			return
		}
		names = append(names, column.Name)
		t := LevelOrder{Column: column.Number, Kind: kindOf(column), Descending: o.direction == request.Desc}
		t.NullsFirst = t.Descending // PostgreSQL's default
		if o.nulls != request.NoNulls {
			t.NullsFirst = o.nulls == request.NullsFirst
		}
		known = known && (t.Kind == Integer || isDate(column.Type))
		l.Order = append(l.Order, t)
		if known {
			l.position(column)
		}
	}
	l.Total = slices.ContainsFunc(uniqueKeys(n.relation), func(key []string) bool {
		return !slices.ContainsFunc(key, func(c string) bool { return !slices.Contains(names, c) })
	})
	if !l.Total || !known {
		l.Order = nil
	}
}

// position is the place of a column in the level's rows of keys.
func (l *Level) position(c *schema.Column) int {
	if i := slices.Index(l.columns, c); i >= 0 {
		return i
	}
	l.columns = append(l.columns, c)
	return len(l.columns) - 1
}
