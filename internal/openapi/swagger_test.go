package openapi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/openapi"
	"github.com/slipstream-go/slipstream/internal/schema"
)

func TestDocument2(t *testing.T) {
	d := describeLibrary(t, library(t))
	golden(t, "swagger.json", openapi.Document2(d))
}

func TestDocument2WithoutAnything(t *testing.T) {
	doc := decode(t, openapi.Document2(openapi.Description{Server: openapi.Server{Scheme: "http", Host: "::1", Port: 3000, BasePath: "/"}}))
	for _, absent := range []string{"definitions", "security", "securityDefinitions"} {
		if doc[absent] != nil {
			t.Errorf("%s: %v", absent, doc[absent])
		}
	}
	if got := at(doc, "info", "title"); got != "PostgREST API" {
		t.Errorf("title %v", got)
	}
	if got := at(doc, "host"); got != "[::1]:3000" {
		t.Errorf("host %v", got)
	}
}

// relation describes one hand-made relation.
func relation(r *schema.Relation) openapi.Description {
	r.Name = schema.Name{Schema: "api", Name: "t"}
	return openapi.Description{Snapshot: &schema.Snapshot{}, Schema: "api", Relations: []*schema.Relation{r}}
}

func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		typ, expression string
		enum            []string
		in2, in31       any // nil: left out
	}{
		{typ: "text", expression: "'new'::text", in2: "new", in31: "new"},
		{typ: "text", expression: "'it''s'::text", in2: "it''s", in31: "it's"},
		{typ: "text", expression: `'a"b'::text`, in2: nil, in31: `a"b`},
		{typ: "text", expression: `E'\\x'::text`, in2: `E'\x`, in31: nil},
		{typ: "text", expression: "upper('x'::text)", in2: "upper('x'::text)", in31: nil},
		{typ: "uuid", expression: "gen_random_uuid()", in2: "gen_random_uuid()", in31: nil},
		{typ: "date", expression: "'1900-01-01'::date", in2: "1900-01-01", in31: "1900-01-01"},
		{typ: "integer", expression: "42", in2: 42.0, in31: 42.0},
		{typ: "integer", expression: "'-1'::integer", in2: nil, in31: -1.0},
		{typ: "integer", expression: "nextval('s'::regclass)", in2: nil, in31: nil},
		{typ: "boolean", expression: "false", in2: false, in31: false},
		{typ: "jsonb", expression: `'{"a": 1}'::jsonb`, in2: nil, in31: map[string]any{"a": 1.0}},
		{typ: "text[]", expression: "'{}'::text[]", in2: nil, in31: nil},
		{typ: "api.mood", expression: "'ok'::api.mood", enum: []string{"ok"}, in2: "ok", in31: "ok"},
		{typ: "api.pair", expression: "'(1,2)'::api.pair", in2: "(1,2)", in31: nil},
		{typ: "api.pair", expression: "1", in2: "1", in31: nil},
		{typ: "text", expression: "", in2: nil, in31: nil},
	} {
		d := relation(&schema.Relation{Columns: []schema.Column{{Name: "c", Type: c.typ, Default: c.expression, Enum: c.enum}}})
		if got := at(decode(t, openapi.Document2(d)), "definitions", "t", "properties", "c", "default"); !cmp.Equal(got, c.in2) {
			t.Errorf("2.0: %s default %s: %v, want %v", c.typ, c.expression, got, c.in2)
		}
		if got := at(decode(t, openapi.Document31(d)), "components", "schemas", "t", "properties", "c", "default"); !cmp.Equal(got, c.in31) {
			t.Errorf("3.1: %s default %s: %v, want %v", c.typ, c.expression, got, c.in31)
		}
	}
}

func TestForeignKeyNotes(t *testing.T) {
	r := &schema.Relation{Columns: []schema.Column{
		{Name: "a", Type: "integer", Description: "A"}, {Name: "b", Type: "integer"}, {Name: "c", Type: "integer"},
	}, PrimaryKey: []string{"a"}}
	d := relation(r)
	key := func(column, target string, view bool) *schema.Relationship {
		return &schema.Relationship{
			Origin: r.Name, Target: schema.Name{Schema: "api", Name: target}, TargetIsView: view,
			Columns: []schema.ColumnPair{{Left: column, Right: "id"}},
		}
	}
	composite := key("b", "composite", false)
	composite.Columns = append(composite.Columns, schema.ColumnPair{Left: "c", Right: "id2"})
	backward := key("c", "backward", false)
	backward.Cardinality = schema.OneToMany
	inverse := key("c", "inverse", false)
	inverse.Cardinality = schema.OneToOne
	d.Snapshot.Relationships = map[schema.RelationshipKey][]*schema.Relationship{
		{Origin: r.Name, TargetSchema: "api"}: {composite, backward, inverse, key("a", "view", true), key("a", "table", false), key("a", "second", false)},
	}
	properties := at(decode(t, openapi.Document2(d)), "definitions", "t", "properties")
	const both = "A\n\nNote:\nThis is a Primary Key.<pk/>\nThis is a Foreign Key to `table.id`.<fk table='table' column='id'/>"
	if got := at(properties, "a", "description"); got != both {
		t.Errorf("a: %q", got)
	}
	for _, column := range []string{"b", "c"} {
		if got := at(properties, column, "description"); got != nil {
			t.Errorf("%s: %q", column, got)
		}
	}
}

// A path has room for one of several overloads.
func TestOverloads2(t *testing.T) {
	doc := decode(t, openapi.Document2(describeLibrary(t, library(t))))
	got := at(doc, "paths", "/rpc/sum", "get", "parameters", 2, "name")
	if got != "c" {
		t.Errorf("third parameter %v, want that of the longest overload", got)
	}
}
