package schema_test

import (
	"slices"
	"testing"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// What moves without its changes being told is one thing, what may be another for each caller is another.
func TestReachTellsWhatDependsOnWhoAsks(t *testing.T) {
	const moves, personal = false, true
	load := sandbox(t)
	for _, tc := range []struct {
		what, sql string
		want      bool
	}{
		{"a foreign table", `create foreign data wrapper w; create server s foreign data wrapper w; create foreign table api.t (id int) server s`, moves},
		{"an unlogged table", `create unlogged table api.t (id int)`, moves},
		{"the clock", `create view api.t as select * from private.a where at > now() and at < current_date`, moves},
		{"chance", `create view api.t as select random(), a.* from private.a a tablesample system (10)`, moves},
		{"text that may mean today", `create view api.t as select owner::date from private.a`, moves},
		{"a table of the catalog", `create view api.t as select relname from pg_class`, moves},
		{"the settings", `create view api.t as select name, setting from pg_settings`, personal},
		{"privileges", `create view api.t as select has_table_privilege('private.a', 'select') from private.a`, personal},
		{"a setting with a computed name", `create view api.t as select current_setting(owner, true) from private.a`, personal},
		{"a function with a text for its body", `create view api.t as select private.written() from private.a`, personal},
		{"the clock, and then such a function", `create view api.t as select now(), private.written() from private.a`, personal},
		{"a type whose input is anybody's", `create type private.mood as enum ('x'); create view api.t as select owner::private.mood from private.a`, personal},
		{"the clock below a policy with a function",
			`create view private.m as select 1 as id where now() > '2000-01-01'; create table api.t (id int); alter table api.t enable row level security;
			create policy p on api.t using (id in (select id from private.m) and private.written() = 1)`, personal},
	} {
		t.Run(tc.what, func(t *testing.T) {
			r := load(t, exposing("api"), reachBase+tc.sql).Relations[schema.Name{Schema: "api", Name: "t"}].Reach
			if r.Opaque == "" {
				t.Fatal("it can be followed")
			}
			if got := r.Personal != ""; got != tc.want {
				t.Errorf("personal: %q", r.Personal)
			}
		})
	}
}

func TestReachDefinitions(t *testing.T) {
	s := sandbox(t)(t, exposing("api", "private"), reachBase+`
		create view api.t as select a.* from private.a a where private.seen(owner);
		alter table private.b enable row level security;`)
	d := s.Relations[schema.Name{Schema: "api", Name: "t"}].Reach.Definitions
	oid := func(namespace, name string) uint32 {
		return s.Relations[schema.Name{Schema: namespace, Name: name}].OID
	}
	relations := []uint32{oid("private", "a"), oid("private", "b"), oid("api", "t")}
	slices.Sort(relations)
	open := []uint32{oid("private", "a"), oid("api", "t")}
	slices.Sort(open)
	function := s.Functions[schema.Name{Schema: "private", Name: "seen"}][0].OID
	if !slices.Equal(d.Relations, relations) || !slices.Equal(d.Open, open) || !slices.Equal(d.Functions, []uint32{function}) {
		t.Errorf("got %v, want %v, %v, %d", d, relations, open, function)
	}
}
