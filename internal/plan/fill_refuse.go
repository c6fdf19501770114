package plan

import (
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// refuse says why the answer must not be kept, or nothing.
func (f *fillBuilder) refuse(out *Read) (Hindrance, string) {
	switch {
	case out.Format == Explained:
		return ByFormat, "is a query plan"
	case out.Format != Body:
		return ByFormat, "is streamed"
	case out.EstimateSQL != "":
		return ByEstimate, "has an estimated count"
	case f.answer.render == renderCustom:
		return ByFormat, "is rendered by a function of the database"
	case f.answer.render == renderGeoJSON:
		return ByFormat, "is rendered by PostGIS"
	}
	if out.Function != nil {
		if because := f.refuseFunction(out.Function); because != "" || f.root.relation == nil {
			return ByFunction, because
		}
	}
	if because := f.refusePolicies(f.root); because != "" {
		return ByPolicy, because
	}
	unfollowed := f.refuseRelations(f.root)
	if unfollowed != "" && (out.Function != nil || !f.limits(f.root)) {
		return ByRelation, unfollowed
	}
	if because := f.refuseLevel(f.root); because != "" {
		return ByExpression, because
	}
	if unfollowed != "" && f.called {
		return ByRelation, unfollowed
	}
	f.out.Unfollowed = unfollowed
	return "", ""
}

// refusePolicies looks at what the configuration says of relations.
func (f *fillBuilder) refusePolicies(n *node) string {
	names := []schema.Name{}
	if n.relation != nil {
		names = append(names, n.relation.Name)
	}
	if n.junction != "" {
		names = append(names, n.rel.Junction.Table)
	}
	for _, name := range names {
		if f.options.Policies.off(name) {
			return name.Name + " is not to be kept"
		}
	}
	because := ""
	for _, c := range n.children {
		because = firstOf(because, f.refusePolicies(c))
	}
	return because
}

// refuseRelations looks at what is behind the relations of a level and of those below.
func (f *fillBuilder) refuseRelations(n *node) string {
	if n.relation == nil {
		return "" // the result of a function, see refuseLevel
	}
	because := opaque(n.relation)
	if n.junction != "" {
		because = firstOf(because, opaque(f.snapshot.Relations[n.rel.Junction.Table]))
	}
	for _, c := range n.children {
		because = firstOf(because, f.refuseRelations(c))
	}
	return because
}

// refuseFunction looks at the function that is called.
func (f *fillBuilder) refuseFunction(fn *schema.Function) string {
	because := f.calls(fn.Name.Name, fn.Volatility, &fn.Reach)
	if slices.ContainsFunc(fn.Params, func(p schema.Param) bool { return movesDaily(p.Type) }) {
		because = firstOf(because, "takes a time of the day in a zone")
	}
	f.arguments(fn)
	if f.root.relation == nil {
		because = firstOf(because, f.refuseResult())
	}
	return because
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

// refuseLevel looks at what a level and those below compute.
func (f *fillBuilder) refuseLevel(n *node) string {
	if n.relation == nil || n.rel != nil && n.rel.Function != nil {
		return "has a computed relationship"
	}
	because := ""
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
	f.called = true
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
		if cast != "" && ok && len(s.column.Path) == 0 && userDefined(column) && (len(column.Enum) == 0 || !strings.EqualFold(cast, "text")) {
			return "has a cast of a type that is not PostgreSQL's own"
		}
	}
	return ""
}

// refuseOperators: the operators of PostgreSQL's own types and of enums are known, those of extensions are not.
func (n *node) refuseOperators(f *field) string {
	column, ok := n.relation.Column(f.column.Name)
	if ok && userDefined(column) && len(column.Enum) == 0 {
		return "compares values of a type that is not PostgreSQL's own"
	}
	return ""
}

// userDefined is true of types that PostgreSQL does not bring: their functions can be anybody's.
func userDefined(c *schema.Column) bool { return strings.Contains(c.Type, ".") }

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
	if movesDaily(column.Type) {
		return "compares times of a day in a zone"
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

// movesDaily is true of the type whose input takes, where it has no offset itself, the one that the zone has today.
func movesDaily(typ string) bool { return strings.TrimSuffix(typ, "[]") == "time with time zone" }

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
