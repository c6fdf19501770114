package schema_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/schema"
)

const dumped = `create schema api;
	create domain api."text/x" as text;
	create domain api.color as int;
	create table api.a (id int primary key, c api.color);
	create table api.b (a int constraint ab references api.a);
	create function api.f(x int) returns api."text/x" stable language sql as 'select null';
	create function api.color(api.color) returns json language sql as 'select null::json';
	create cast (api.color as json) with function api.color(api.color) as implicit;
	create function api.bs(api.a) returns setof api.b language sql as 'select * from api.b';`

func TestMarshalJSON(t *testing.T) {
	s := load(t, exposing("api"), dumped)
	out, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ServerVersion int
		DBTables      []struct {
			Name    schema.Name
			Kind    string
			Columns []schema.Column
		}
		DBRelationships   []map[string]any
		DBRoutines        []struct{ Name, Volatility any }
		DBRepresentations []map[string]any
		DBMediaHandlers   []map[string]any
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.ServerVersion != s.Version {
		t.Errorf("version %d", got.ServerVersion)
	}
	if len(got.DBTables) != 2 || got.DBTables[1].Name != name("b") || got.DBTables[1].Kind != "table" || got.DBTables[1].Columns[0].Name != "a" {
		t.Errorf("tables: %+v", got.DBTables)
	}
	want := map[string]any{
		"origin": map[string]any{"schema": "api", "name": "b"}, "target": map[string]any{"schema": "api", "name": "a"},
		"cardinality": "many-to-one", "self": false, "constraint": "ab",
		"columns":        []any{map[string]any{"left": "a", "right": "id"}},
		"originHoldsKey": false, "originIsView": false, "targetIsView": false,
	}
	if len(got.DBRelationships) != 3 {
		t.Fatalf("relationships: %v", got.DBRelationships)
	}
	if d := cmp.Diff(want, got.DBRelationships[2]); d != "" {
		t.Errorf("relationship (-want +got):\n%s", d)
	}
	if len(got.DBRoutines) != 1 || got.DBRoutines[0].Volatility != "stable" {
		t.Errorf("routines: %v", got.DBRoutines)
	}
	if len(got.DBRepresentations) != 1 || got.DBRepresentations[0]["source"] != "api.color" {
		t.Errorf("representations: %v", got.DBRepresentations)
	}
	if len(got.DBMediaHandlers) != 1 || got.DBMediaHandlers[0]["mediaType"] != "text/x" {
		t.Errorf("media handlers: %v", got.DBMediaHandlers)
	}
}

func TestSnapshotsOfTheSameCatalogAreTheSame(t *testing.T) {
	load := sandbox(t)
	first := load(t, exposing("api"), dumped)
	out := func(s *schema.Snapshot) []byte {
		s.LoadedAt = first.LoadedAt
		for _, r := range s.Relations {
			r.OID = 0
		}
		for _, overloads := range s.Functions {
			for _, f := range overloads {
				f.OID = 0
			}
		}
		b, err := json.MarshalIndent(s, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := out(first)
	for range 3 {
		if got := out(load(t, exposing("api"), dumped)); !bytes.Equal(want, got) {
			t.Fatalf("(-want +got):\n%s", cmp.Diff(string(want), string(got)))
		}
	}
}

func TestSummary(t *testing.T) {
	want := "2 Relations, 2 Relationships, 1 Functions, 1 Domain Representations, 1 Media Type Handlers"
	if got := load(t, exposing("api"), dumped).Summary(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNames(t *testing.T) {
	for _, tc := range []struct {
		got  interface{ String() string }
		want string
	}{
		{schema.Table, "table"}, {schema.Partitioned, "partitioned table"}, {schema.View, "view"},
		{schema.Materialized, "materialized view"}, {schema.Foreign, "foreign table"}, {schema.Kind('S'), "relation of kind 'S'"},
		{schema.ManyToOne, "many-to-one"}, {schema.OneToMany, "one-to-many"}, {schema.OneToOne, "one-to-one"},
		{schema.ManyToMany, "many-to-many"}, {schema.Cardinality(9), "cardinality 9"},
		{schema.Immutable, "immutable"}, {schema.Stable, "stable"}, {schema.Volatile, "volatile"}, {schema.Volatility('x'), "volatility 'x'"},
	} {
		if got := tc.got.String(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
