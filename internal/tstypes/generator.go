package tstypes

import (
	"cmp"
	_ "embed"
	"maps"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// generator writes the module.
type generator struct {
	printer
	schemas  []string // exposed ones, the default one first
	snapshot *schema.Snapshot
	types    map[string]*pgType     // by what format_type gives
	formats  map[schema.Name]string // the reverse
	computed []computed
}

// helpers are the types that do not depend on the schemas but for the name of the default one.
//
//go:embed helpers.ts
var helpers string

// knownVersion is the newest version of PostgREST that supabase-js takes as a reason to allow more.
const knownVersion = "14.0"

func (g *generator) module() string {
	g.line("export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]")
	g.line()
	g.block("export type Database = {", "}", func() {
		g.list("__InternalSupabase", []property{{name: "PostgrestVersion", typ: quote(knownVersion)}}, "")
		for _, s := range slices.Sorted(slices.Values(g.schemas)) {
			g.block(key(s)+": {", "}", func() { g.schema(s) })
		}
	})
	g.b.WriteString("\n" + strings.ReplaceAll(helpers, `"public"`, quote(g.schemas[0])) + "\n")
	g.constants()
	return g.b.String()
}

func (g *generator) schema(name string) {
	tables, views := g.relations(name, "Tables"), g.relations(name, "Views")
	g.object("Tables", len(tables), func() {
		for _, r := range tables {
			g.block(key(r.Name.Name)+": {", "}", func() { g.table(r) })
		}
	})
	g.object("Views", len(views), func() {
		for _, r := range views {
			g.block(key(r.Name.Name)+": {", "}", func() { g.view(r) })
		}
	})
	g.functions(name)
	enums, composites := g.typesOf(name, "e"), g.typesOf(name, "c")
	g.object("Enums", len(enums), func() {
		for _, t := range enums {
			g.line(key(t.name.Name), ": ", union(t.labels))
		}
	})
	g.object("CompositeTypes", len(composites), func() {
		for _, t := range composites {
			g.list(key(t.name.Name), g.attributes(t.attributes, " | null"), "")
		}
	})
}

func (g *generator) relations(in, of string) []*schema.Relation {
	var found []*schema.Relation
	for _, r := range g.snapshot.Relations {
		if r.Name.Schema == in && section(r) == of {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *schema.Relation) int { return strings.Compare(a.Name.Name, b.Name.Name) })
	return found
}

// typesOf are the enums, or the composite types that are no relation's, of a schema.
func (g *generator) typesOf(in, kind string) []*pgType {
	var found []*pgType
	for _, format := range slices.Sorted(maps.Keys(g.types)) {
		t := g.types[format]
		if t.name.Schema == in && t.kind == kind && (kind == "e" || len(t.attributes) > 0) {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b *pgType) int { return strings.Compare(a.name.Name, b.name.Name) })
	return found
}

// attributes are named types, with what every one of them may also be.
func (g *generator) attributes(all []schema.Param, also string) []property {
	var list []property
	for _, a := range all {
		list = append(list, property{name: a.Name, typ: g.typeOf(a.Type) + also})
	}
	return list
}

func (g *generator) table(r *schema.Relation) {
	g.list("Row", g.row(r), "")
	g.list("Insert", g.writable(r, func(c *schema.Column) bool { return c.Nullable || c.Default != "" }), "")
	g.list("Update", g.writable(r, func(*schema.Column) bool { return true }), "")
	g.relationships(r)
}

// view has Insert and Update where the view takes them. Which columns those take the database knows alone.
func (g *generator) view(r *schema.Relation) {
	g.list("Row", g.row(r), "")
	if r.Insertable || r.Updatable {
		optional := func(*schema.Column) bool { return true }
		g.list("Insert", g.writable(r, optional), "")
		g.list("Update", g.writable(r, optional), "")
	}
	g.relationships(r)
}

// row has the computed fields too, which a request must name to get.
func (g *generator) row(r *schema.Relation) []property {
	list := g.columns(r)
	for _, c := range g.computed {
		if c.relation != r.Name || c.name.Schema != r.Name.Schema || g.target(c) != nil {
			continue
		}
		typ := g.typeOf(c.returns)
		if c.set {
			typ = arrayOf(typ)
		}
		list = append(list, property{name: c.name.Name, typ: orNull(typ, true)})
	}
	return list
}

func (g *generator) columns(r *schema.Relation) []property {
	var list []property
	for i := range r.Columns {
		c := &r.Columns[i]
		list = append(list, property{name: c.Name, typ: orNull(g.typeOf(c.NominalType), c.Nullable)})
	}
	slices.SortStableFunc(list, func(a, b property) int { return strings.Compare(a.name, b.name) })
	return list
}

// writable are the columns of a new or changed row. Those that are always generated cannot be written.
func (g *generator) writable(r *schema.Relation, optional func(*schema.Column) bool) []property {
	list := g.columns(r)
	for i := range list {
		c, _ := r.Column(list[i].name)
		if list[i].optional = optional(c); c.Generated && c.Default == "" {
			list[i].optional, list[i].typ = true, "never"
		}
	}
	return list
}

func orNull(typ string, nullable bool) string {
	if nullable && typ != "unknown" {
		return typ + " | null"
	}
	return typ
}

// relationships are the foreign keys that the relation holds or, being a view, shows.
func (g *generator) relationships(r *schema.Relation) {
	var held []*schema.Relationship
	for _, x := range g.snapshot.RelationshipsFrom(r.Name, r.Name.Schema) {
		if x.Constraint != "" && (x.Cardinality == schema.ManyToOne || x.Cardinality == schema.OneToOne && x.OriginHoldsKey) {
			held = append(held, x)
		}
	}
	slices.SortStableFunc(held, func(a, b *schema.Relationship) int {
		return cmp.Or(strings.Compare(a.Constraint, b.Constraint), strings.Compare(a.Target.Name, b.Target.Name))
	})
	if len(held) == 0 {
		g.line("Relationships: []")
		return
	}
	g.block("Relationships: [", "]", func() {
		for _, x := range held {
			g.block("{", "},", func() { g.relationship(x) })
		}
	})
}

func (g *generator) relationship(x *schema.Relationship) {
	var columns, referenced []string
	for _, pair := range x.Columns {
		columns = append(columns, pair.Left)
		referenced = append(referenced, pair.Right)
	}
	oneToOne := "false"
	if x.Cardinality == schema.OneToOne {
		oneToOne = "true"
	}
	g.properties([]property{
		{name: "foreignKeyName", typ: quote(x.Constraint)},
		{name: "columns", typ: tuple(columns)},
		{name: "isOneToOne", typ: oneToOne},
		{name: "referencedRelation", typ: quote(x.Target.Name)},
		{name: "referencedColumns", typ: tuple(referenced)},
	})
}

func tuple(all []string) string { return "[" + strings.Join(quoteAll(all), ", ") + "]" }

// constants are the labels of enums as values.
func (g *generator) constants() {
	g.block("export const Constants = {", "} as const", func() {
		for _, s := range slices.Sorted(slices.Values(g.schemas)) {
			g.block(key(s)+": {", "},", func() {
				g.block("Enums: {", "},", func() {
					for _, t := range g.typesOf(s, "e") {
						g.line(key(t.name.Name), ": ", tuple(t.labels), ",")
					}
				})
			})
		}
	})
}
