package tstypes

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// typeOf is the TypeScript type of the JSON that a value of a PostgreSQL type becomes. typ is what format_type gives,
// with or without a modifier.
func (g *generator) typeOf(typ string) string {
	if element, ok := strings.CutSuffix(typ, "[]"); ok {
		return arrayOf(g.typeOf(element))
	}
	t := g.types[typ]
	if t == nil {
		t = g.types[unmodified(typ)]
	}
	switch {
	case t == nil:
		return "unknown"
	case g.represented(typ):
		return "Json"
	}
	switch t.kind {
	case "array":
		return arrayOf(g.typeOf(t.of))
	case "d":
		return g.typeOf(t.of)
	case "e":
		return g.enum(t)
	case "c":
		return g.composite(t)
	case "p":
		return pseudo(t.name.Name)
	}
	return g.base(t)
}

// unmodified drops the modifier: character varying(10), numeric(5,2), timestamp(3) with time zone.
func unmodified(typ string) string {
	before, rest, ok := strings.Cut(typ, "(")
	_, after, closed := strings.Cut(rest, ")")
	if !ok || !closed {
		return typ
	}
	return before + after
}

// represented reports whether a domain has a data representation: then requests see what its function gives.
func (g *generator) represented(typ string) bool {
	_, ok := g.snapshot.Representations[[2]string{typ, "json"}]
	return ok
}

func arrayOf(element string) string {
	if strings.Contains(element, " | ") {
		element = "(" + element + ")"
	}
	return element + "[]"
}

func (g *generator) enum(t *pgType) string {
	if !g.exposes(t.name.Schema) {
		return union(t.labels)
	}
	return member(t.name, "Enums")
}

func (g *generator) composite(t *pgType) string {
	relation := g.snapshot.Relation(t.name)
	switch {
	case relation != nil:
		return member(t.name, section(relation)) + `["Row"]`
	case len(t.attributes) > 0 && g.exposes(t.name.Schema):
		return member(t.name, "CompositeTypes")
	}
	return "unknown"
}

func pseudo(name string) string {
	switch name {
	case "void":
		return "undefined"
	case "record":
		return "Record<string, unknown>"
	}
	return "unknown"
}

// base is what to_json makes of a base type, range or multirange: numbers, booleans, JSON and else text. Where an
// extension has a cast to json, as PostGIS does, that can be anything.
func (g *generator) base(t *pgType) string {
	if t.name.Schema != "pg_catalog" {
		if t.json {
			return "unknown"
		}
		return "string"
	}
	switch t.name.Name {
	case "bool":
		return "boolean"
	case "int2", "int4", "int8", "float4", "float8", "numeric":
		return "number"
	case "json", "jsonb":
		return "Json"
	}
	return "string"
}

func (g *generator) exposes(name string) bool { return slices.Contains(g.schemas, name) }

// member is the type of something in the module: Database["public"]["Enums"]["mood"].
func member(n schema.Name, section string) string {
	return "Database[" + quote(n.Schema) + `]["` + section + `"][` + quote(n.Name) + "]"
}

// section is where a relation is described.
func section(r *schema.Relation) string {
	if r.Kind == schema.View || r.Kind == schema.Materialized {
		return "Views"
	}
	return "Tables"
}

func union(labels []string) string {
	if len(labels) == 0 {
		return "never"
	}
	return strings.Join(quoteAll(labels), " | ")
}

func quoteAll(all []string) []string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = quote(s)
	}
	return quoted
}

// quote makes a string literal. JSON's are TypeScript's.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be encoded
	return strings.TrimSuffix(b.String(), "\n")
}

// key is a property's name, quoted where it has to be.
func key(name string) string {
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_' || r == '$'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}
