package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// viewBase is what the views of the tests are made of: two tables out of reach.
const viewBase = `
	create schema api; create schema private; create schema extra;
	create table private.actor (id int primary key, name text);
	create table private.person (id int, film int, role int constraint played references private.actor, name text,
		primary key (film, id));`

func TestRelationshipsThroughViews(t *testing.T) {
	const actor = `create view api.actor as select id as actor_id, name from private.actor;`
	played := []string{"many-to-one played(role) -> actor(actor_id)"}
	load := sandbox(t)
	for _, tc := range []struct {
		what, sql string
		want      []string
	}{
		{"view to view", actor + `create view api.person as select role from private.person`, played},
		{"a renamed column", actor + `create view api.person as select role as r from private.person`,
			[]string{"many-to-one played(r) -> actor(actor_id)"}},
		{"a column shown twice", actor + `create view api.person as select role as r, role as again from private.person`,
			[]string{"many-to-one played(again) -> actor(actor_id)", "many-to-one played(r) -> actor(actor_id)"}},
		{"an expression is not the column", actor + `create view api.person as select role + 0 as role from private.person`, nil},
		{"a cast to another type is not the column", actor + `create view api.person as select role::bigint as role from private.person`, nil},
		{"without the column", actor + `create view api.person as select id from private.person`, nil},
		{"sorted by the column only", actor + `create view api.person as select id from private.person order by role`, nil},
		{"materialised", actor + `create materialized view api.person as select role from private.person`, played},
		{"a view of a view", actor + `create view api.inner as select role as r from private.person;
			create view api.person as select r as role from api.inner`, played},
		{"a view of a view of the extra search path", actor + `create view extra.inner as select role as r from private.person;
			create view api.person as select r as role from extra.inner`, played},
		{"a view of a view out of reach", actor + `create view private.inner as select role as r from private.person;
			create view api.person as select r as role from private.inner`, nil},
		{"joined", actor + `create view api.person as select p.name, a.name as actor, p.role from private.person p join private.actor a on a.id = p.role`, played},
		{"a subquery", actor + `create view api.person as select x as role from (select role as x from private.person) s`, played},
		{"a scalar subquery is an expression", actor + `create view api.person as select (select role from private.person limit 1) as role`, nil},
		{"a common table expression", actor + `create view api.person as with p as (select role from private.person) select * from p`, played},
		{"grouped and distinct", actor + `create view api.person as select distinct role from private.person group by role`, played},
		{"a union has columns of its own", actor + `create view api.person as select role from private.person union all select 1`, nil},
		{"the recursive part does not show it", actor + `create view api.person as with recursive p as (
			select 1 as role union all select q.role from private.person q join p on p.role = q.id) select role from p`, nil},
		{"constants of all kinds do not confuse it", actor + `create view api.person as
			select '(' || '}{' as odd, E'\\ ) :targetList (' as more, array['{"a": ")"}', null] as list, '{}'::jsonb as json,
			       true, null as empty, 1.5 as number, role from private.person where name ~ '[({\\'`, played},
		{"table to view", `create table api.person (role int constraint played references private.actor);` + actor, played},
		{"view to table", `create table api.actor (actor_id int primary key);
			create table private.cast (role int constraint played references api.actor);
			create view api.person as select role from private.cast;`, played},
		{"one to one", `create table private.p (role int primary key constraint played references private.actor);` + actor +
			`create view api.person as select role from private.p`, []string{"one-to-one holder played(role) -> actor(actor_id)"}},
		{"an INSTEAD OF rule is not the view's query", actor + `create view api.person as select id from private.person;
			create rule r as on insert to api.person do instead select role from private.person;`, nil},
	} {
		t.Run(tc.what, func(t *testing.T) {
			o := exposing("api")
			o.ExtraSearchPath = []string{"extra"}
			s := load(t, o, viewBase+tc.sql)
			var got []string
			for _, r := range s.RelationshipsFrom(name("person"), "api") {
				if r.Target != name("actor") {
					continue
				}
				got = append(got, describe(r))
				if view := s.Relation(r.Origin).Kind != schema.Table; r.OriginIsView != view {
					t.Errorf("origin is a view: %v", r.OriginIsView)
				}
				if view := s.Relation(r.Target).Kind != schema.Table; r.TargetIsView != view {
					t.Errorf("target is a view: %v", r.TargetIsView)
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("person to actor (-want +got):\n%s", d)
			}
		})
	}
}

func TestMultiColumnKeysThroughViews(t *testing.T) {
	s := load(t, exposing("api"), `create schema api; create schema private;
		create table private.a (x int, y int, primary key (x, y));
		create table private.b (p int, q int, constraint ab foreign key (p, q) references private.a (y, x));
		create view api.a as select y as ay, x as ax from private.a;
		create view api.b as select q as bq, p as bp, p as bp2 from private.b;
		create view api.half as select q from private.b;`)
	want := map[string][]string{
		"a": {"one-to-many ab(ay, ax) -> b(bp, bq)", "one-to-many ab(ay, ax) -> b(bp2, bq)"},
		"b": {"many-to-one ab(bp, bq) -> a(ay, ax)", "many-to-one ab(bp2, bq) -> a(ay, ax)"},
	}
	if d := cmp.Diff(want, describeAll(s, "a", "b", "half")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestSelfThroughAView(t *testing.T) {
	s := load(t, exposing("api"), `create schema api; create schema private;
		create table private.node (id int primary key, parent int constraint up references private.node);
		create view api.node as select id, parent from private.node;`)
	want := map[string][]string{"node": {"one-to-many up(id) -> node(parent)", "many-to-one up(parent) -> node(id)"}}
	if d := cmp.Diff(want, describeAll(s, "node")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, r := range s.RelationshipsFrom(name("node"), "api") {
		if !r.Self {
			t.Errorf("%s is not marked as self", describe(r))
		}
	}
}

func TestPrimaryKeysOfViews(t *testing.T) {
	s := load(t, exposing("api"), viewBase+`
		create view api.whole as select name, id as person_id, film as film_id from private.person;
		create view api.twice as select film, id, film as f, id as i from private.person;
		create view api.part as select id, name from private.person;
		create view api.joined as select p.id, p.film, a.id as actor from private.person p join private.actor a on a.id = p.role;
		create view api.outer as select person_id as p, film_id as f from api.whole;
		create view api.none as select 1 as one;
		create materialized view api.stored as select * from private.actor;`)
	want := map[string][]string{
		"whole": {"film_id", "person_id"}, "twice": {"film", "id"}, "part": nil,
		"joined": {"actor", "film", "id"}, "outer": {"f", "p"}, "none": nil, "stored": {"id"},
	}
	for view, key := range want {
		if d := cmp.Diff(key, s.Relation(name(view)).PrimaryKey); d != "" {
			t.Errorf("%s (-want +got):\n%s", view, d)
		}
	}
}

// PostgreSQL lets a view be replaced by one that selects from a view made of it.
func TestViewsInACircle(t *testing.T) {
	s := load(t, exposing("api"), `create schema api;
		create table api.t (id int primary key);
		create view api.a as select id from api.t;
		create view api.b as select id from api.a;
		create or replace view api.a as select id from api.b;`)
	if len(s.Relations) != 3 {
		t.Errorf("got %v", s.Relations)
	}
}
