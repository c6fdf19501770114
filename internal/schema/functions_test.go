package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// only loads a schema api with one function f.
func only(t *testing.T, load loadFunc, o schema.Options, sql string) *schema.Function {
	t.Helper()
	s := load(t, o, "create schema api; create schema other; create table api.item (id int primary key);"+sql)
	f := s.Functions[name("f")]
	if len(f) != 1 {
		t.Fatalf("got %d functions: %v", len(f), f)
	}
	return f[0]
}

func TestFunctionParameters(t *testing.T) {
	load := sandbox(t)
	for _, tc := range []struct {
		sql  string
		want []schema.Param
	}{
		{"f()", nil},
		{"f(a int, b text default 'x')", []schema.Param{
			{Name: "a", Type: "integer", TypeMod: "integer", Required: true},
			{Name: "b", Type: "text", TypeMod: "text"},
		}},
		{"f(a char(5), b bit(3), c char[], d bit[], e varchar(3))", []schema.Param{
			{Name: "a", Type: "character", TypeMod: "character varying", Required: true},
			{Name: "b", Type: "bit", TypeMod: "bit varying", Required: true},
			{Name: "c", Type: "character[]", TypeMod: "character varying[]", Required: true},
			{Name: "d", Type: "bit[]", TypeMod: "bit varying[]", Required: true},
			{Name: "e", Type: "character varying", TypeMod: "character varying", Required: true},
		}},
		{"f(a api.item)", []schema.Param{{Name: "a", Type: "api.item", TypeMod: "api.item", Required: true}}},
		{"f(variadic rest text[] default '{}')", []schema.Param{{Name: "rest", Type: "text[]", TypeMod: "text[]", Variadic: true}}},
		// Parameters that only go out do not shift those that go in.
		{"f(out o int, a text, inout io bigint default 1)", []schema.Param{
			{Name: "a", Type: "text", TypeMod: "text", Required: true},
			{Name: "io", Type: "bigint", TypeMod: "bigint"},
		}},
		{"f(a api.mood)", []schema.Param{{Name: "a", Type: "api.mood", TypeMod: "api.mood", Required: true, Enum: []string{"sad", "ok"}}}},
		{"f(a api.good_mood)", []schema.Param{
			{Name: "a", Type: "api.good_mood", TypeMod: "api.good_mood", Required: true, Enum: []string{"sad", "ok"}},
		}},
		{"f(json)", []schema.Param{{Type: "json", TypeMod: "json", Required: true}}},
		{"f(bytea)", []schema.Param{{Type: "bytea", TypeMod: "bytea", Required: true}}},
	} {
		t.Run(tc.sql, func(t *testing.T) {
			returns := " returns text language sql as 'select null::text'"
			if strings.Contains(tc.sql, "out ") {
				returns = " language sql as 'select 1, 2::bigint'"
			}
			f := only(t, load, exposing("api"), `
				create type api.mood as enum ('sad', 'ok');
				create domain api.good_mood as api.mood check (value = 'ok');
				create function api.`+tc.sql+returns)
			if d := cmp.Diff(tc.want, f.Params); d != "" {
				t.Errorf("parameters (-want +got):\n%s", d)
			}
			if variadic := strings.Contains(tc.sql, "variadic"); f.HasVariadic != variadic {
				t.Errorf("variadic: %v", f.HasVariadic)
			}
		})
	}
}

func TestFunctionReturns(t *testing.T) {
	load := sandbox(t)
	item := schema.Name{Schema: "api", Name: "item"}
	builtin := func(n string) schema.Name { return schema.Name{Schema: "pg_catalog", Name: n} }
	a, b := schema.Param{Name: "a", Type: "integer"}, schema.Param{Name: "b", Type: "text"}
	mood := schema.Param{Name: "a", Type: "other.mood", Enum: []string{"sad", "ok"}}
	for _, tc := range []struct {
		returns string
		want    schema.Return
	}{
		{"f() returns int", schema.Return{Type: builtin("int4")}},
		{"f() returns setof text", schema.Return{Type: builtin("text"), Set: true}},
		{"f() returns void", schema.Return{Type: builtin("void"), Void: true}},
		{"f() returns api.item", schema.Return{Type: item, Composite: true, Table: "item"}},
		{"f() returns setof api.item", schema.Return{Type: item, Composite: true, Set: true, Table: "item"}},
		{"f() returns other.pair", schema.Return{Type: schema.Name{Schema: "other", Name: "pair"}, Composite: true}},
		{"f() returns other.item_alias", schema.Return{Type: item, Composite: true, Alias: true, Table: "item"}},
		{"f() returns other.number", schema.Return{Type: builtin("int4")}},
		{"f() returns table (a int, b text)", schema.Return{Type: builtin("record"), Composite: true, Set: true, Columns: []schema.Param{a, b}}},
		{"f(out a int, out b text)", schema.Return{Type: builtin("record"), Composite: true, Columns: []schema.Param{a, b}}},
		{"f(out a int)", schema.Return{Type: builtin("int4"), Composite: true, Columns: []schema.Param{a}}},
		{"f(out a other.mood, inout b text)", schema.Return{Type: builtin("record"), Composite: true, Columns: []schema.Param{mood, b}}},
		{"f() returns record", schema.Return{Type: builtin("record")}},
	} {
		t.Run(tc.returns, func(t *testing.T) {
			f := only(t, load, exposing("api"), `
				create type other.pair as (a int, b text);
				create type other.mood as enum ('sad', 'ok');
				create domain other.item_alias as api.item;
				create domain other.number as int;
				create function api.`+tc.returns+` language plpgsql as 'begin null; end'`)
			if d := cmp.Diff(tc.want, f.Returns); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestFunctionsThatCannotBeCalled(t *testing.T) {
	s := load(t, exposing("api"), `create schema api; create schema private;
		create function api.unnamed(int) returns int language sql as 'select 1';
		create function api.two_unnamed(json, json) returns int language sql as 'select 1';
		create function api.fires() returns trigger language plpgsql as 'begin return new; end';
		create procedure api.process() language sql as 'select 1';
		create aggregate api.total(int) (sfunc = int4pl, stype = int);
		create function private.hidden() returns int language sql as 'select 1';`)
	if len(s.Functions) != 0 {
		t.Errorf("got %v", s.Functions)
	}
}

func TestFunctionSettings(t *testing.T) {
	o := exposing("api")
	o.HoistedSettings = []string{"Statement_Timeout", "work_mem_x"}
	f := only(t, load, o, `
		create function api.f(a int) returns int stable language sql
			set statement_timeout = '3s' set work_mem = '8MB' set default_transaction_isolation = 'repeatable read'
			as 'select 1';
		comment on function api.f(int) is 'does things';`)
	want := &schema.Function{
		Name: name("f"), Description: "does things", Volatility: schema.Stable, Isolation: "repeatable read",
		Params:   []schema.Param{{Name: "a", Type: "integer", TypeMod: "integer", Required: true}},
		Returns:  schema.Return{Type: schema.Name{Schema: "pg_catalog", Name: "int4"}},
		Settings: []schema.Setting{{Name: "statement_timeout", Value: "3s"}},
	}
	if d := cmp.Diff(want, f, cmpopts.IgnoreFields(schema.Function{}, "OID", "Reach")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if f.OID == 0 {
		t.Error("no OID")
	}
}

func TestOverloadsHaveAnOrder(t *testing.T) {
	s := load(t, exposing("api"), `create schema api;
		create function api.f(b int, a int) returns int language sql as 'select 1';
		create function api.f(b int) returns int language sql as 'select 1';
		create function api.f(a text) returns int immutable language sql as 'select 1';
		create function api.f(a bigint) returns int language sql as 'select 1';
		create function api.f() returns int language sql as 'select 1';`)
	var got []string
	for _, f := range s.Functions[name("f")] {
		var params []string
		for _, p := range f.Params {
			params = append(params, p.Name+" "+p.Type)
		}
		got = append(got, strings.Join(params, ", ")+" "+f.Volatility.String())
	}
	want := []string{" volatile", "a bigint volatile", "a text immutable", "b integer volatile", "b integer, a integer volatile"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
