package tstypes

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// call is one way to call a function: an overload, or a computed relationship.
type call struct {
	args []property
	// returns is a type, or the properties of one.
	returns string
	row     []property
	set     bool
	// from and to are the relations whose rows a function takes and gives, or empty.
	from, to string
	toOne    bool
}

func (g *generator) functions(in string) {
	calls := map[string][]call{}
	for name, overloads := range g.snapshot.Functions {
		if name.Schema == in {
			for _, f := range overloads {
				calls[name.Name] = append(calls[name.Name], g.call(f))
			}
		}
	}
	for _, c := range g.computed {
		if c.name.Schema == in && c.unnamed && g.target(c) != nil {
			calls[c.name.Name] = append(calls[c.name.Name], g.computedCall(c))
		}
	}
	g.object("Functions", len(calls), func() {
		for _, name := range slices.Sorted(maps.Keys(calls)) {
			g.overloads(name, calls[name])
		}
	})
}

func (g *generator) call(f *schema.Function) call {
	c := call{set: f.Returns.Set, toOne: !f.Returns.Set}
	for _, p := range f.Params {
		c.args = append(c.args, property{name: p.Name, optional: !p.Required, typ: g.typeOf(p.Type)})
	}
	slices.SortStableFunc(c.args, func(a, b property) int { return strings.Compare(a.name, b.name) })
	relation := g.snapshot.Relation(f.Returns.Type)
	switch {
	case f.Returns.Table != "" && relation != nil:
		c.gives(g, relation)
	case len(f.Returns.Columns) > 0:
		c.row = g.attributes(f.Returns.Columns, "")
	default:
		c.returns = g.typeOf(g.formats[f.Returns.Type])
	}
	c.takes(g, f)
	return c
}

// gives notes that rows of a relation come back: clients can select and embed from them.
func (c *call) gives(g *generator, r *schema.Relation) {
	c.row, c.to = g.columns(r), r.Name.Name
	if c.from == "" {
		c.from = "*"
	}
}

// takes notes the relation that a computed relationship begins at, and whether it leads to one row.
func (c *call) takes(g *generator, f *schema.Function) {
	if len(f.Params) != 1 || c.to == "" {
		return
	}
	if t := g.types[f.Params[0].Type]; t != nil && g.snapshot.Relation(t.name) != nil {
		c.from = t.name.Name
		c.toOne = g.leadsToOne(f.Name, t.name, c.toOne)
	}
}

// computedCall describes a computed relationship, which clients look for among the functions.
func (g *generator) computedCall(c computed) call {
	made := call{set: c.set, from: c.relation.Name, args: []property{{typ: g.typeOf(g.formats[c.relation])}}}
	made.gives(g, g.target(c))
	made.toOne = g.leadsToOne(c.name, c.relation, !c.set)
	return made
}

// leadsToOne asks the snapshot, which knows of ROWS 1.
func (g *generator) leadsToOne(function, origin schema.Name, otherwise bool) bool {
	for k, all := range g.snapshot.Relationships {
		if k.Origin != origin {
			continue
		}
		for _, x := range all {
			if x.Function != nil && *x.Function == function {
				return x.Cardinality.ToOne()
			}
		}
	}
	return otherwise
}

// target is the relation that a computed relationship leads to; nil for a computed field.
func (g *generator) target(c computed) *schema.Relation {
	if t := g.types[c.returns]; t != nil {
		return g.snapshot.Relation(t.name)
	}
	return nil
}

func (g *generator) overloads(name string, calls []call) {
	if len(calls) == 1 {
		g.block(key(name)+": {", "}", func() { g.signature(calls[0]) })
		return
	}
	g.line(key(name), ":")
	g.indent++
	for _, c := range calls {
		g.block("| {", "}", func() { g.signature(c) })
	}
	g.indent--
}

func (g *generator) signature(c call) {
	if len(c.args) == 0 {
		g.line("Args: never")
	} else {
		g.list("Args", c.args, "")
	}
	rows := ""
	if c.set && !c.toOne {
		rows = "[]"
	}
	if c.row != nil {
		g.list("Returns", c.row, rows)
	} else if c.set {
		g.line("Returns: ", arrayOf(c.returns))
	} else {
		g.line("Returns: ", c.returns)
	}
	if c.to != "" {
		g.list("SetofOptions", []property{
			{name: "from", typ: quote(c.from)},
			{name: "to", typ: quote(c.to)},
			{name: "isOneToOne", typ: strconv.FormatBool(c.toOne)},
			{name: "isSetofReturn", typ: strconv.FormatBool(c.set)},
		}, "")
	}
}
