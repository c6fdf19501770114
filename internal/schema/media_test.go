package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/schema"
)

func TestMediaHandlers(t *testing.T) {
	s := load(t, exposing("api"), `create schema api; create schema types;
		create table api.line (id int primary key);
		create domain types."application/vnd.twkb" as bytea;
		create domain types."Text/HTML" as text;
		create domain types."*/*" as bytea;
		create domain types."no media type" as text;
		create function types.grow(bytea, api.line) returns bytea language sql as 'select $1';
		create function types.finish(data bytea) returns types."application/vnd.twkb" language sql as 'select $1';
		create aggregate api.twkb(api.line) (sfunc = types.grow, stype = bytea, finalfunc = types.finish);
		create function types.any_grow(bytea, anyelement) returns bytea language sql as 'select $1';
		create function types.any_finish(data bytea) returns types."*/*" language sql as 'select $1';
		create aggregate api.anything(anyelement) (sfunc = types.any_grow, stype = bytea, finalfunc = types.any_finish);
		create aggregate types.elsewhere(api.line) (sfunc = types.grow, stype = bytea, finalfunc = types.finish);
		create function api.page(a int) returns types."Text/HTML" language sql as 'select null';
		create function api.pages() returns setof types."Text/HTML" language sql as 'select null';
		create function api.other() returns types."no media type" language sql as 'select null';`)
	want := map[schema.MediaHandlerKey]schema.MediaHandler{
		{Relation: name("line"), MediaType: "application/vnd.twkb"}: {Function: name("twkb"), Resolved: "application/vnd.twkb", Aggregate: true},
		{MediaType: "*/*"}: {Function: name("anything"), Resolved: "application/octet-stream", Aggregate: true},
		{Relation: name("page"), MediaType: "text/html"}: {Function: name("page"), Resolved: "Text/HTML"},
	}
	if d := cmp.Diff(want, s.MediaHandlers); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestRepresentations(t *testing.T) {
	s := load(t, exposing("api"), `create schema api; create schema conv;
		create domain api.color as integer;
		create domain api."odd color" as integer;
		create function conv.color_to_json(api.color) returns json language sql as 'select to_json($1::int)';
		create function conv.color_of_text(text) returns api.color language sql as 'select 1::api.color';
		create function conv."odd fn"(api."odd color") returns json language sql as 'select to_json($1::int)';
		create function conv.color_to_bool(api.color) returns bool language sql as 'select true';
		create cast (api.color as json) with function conv.color_to_json(api.color) as implicit;
		create cast (text as api.color) with function conv.color_of_text(text) as implicit;
		create cast (api."odd color" as json) with function conv."odd fn"(api."odd color") as implicit;
		create cast (api.color as bool) with function conv.color_to_bool(api.color) as implicit;
		create function conv.explicit(api.color) returns text language sql as 'select ''x''';
		create cast (api.color as text) with function conv.explicit(api.color);`)
	conv := func(n string) schema.Name { return schema.Name{Schema: "conv", Name: n} }
	want := map[[2]string]schema.Name{
		{"api.color", "json"}:       conv("color_to_json"),
		{"text", "api.color"}:       conv("color_of_text"),
		{`api."odd color"`, "json"}: conv("odd fn"),
	}
	if d := cmp.Diff(want, s.Representations); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
