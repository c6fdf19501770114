package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// describe writes a relationship on one line.
func describe(r *schema.Relationship) string {
	if r.Function != nil {
		return fmt.Sprintf("%v %s.%s(%s) -> %s", r.Cardinality, r.Function.Schema, r.Function.Name, r.Origin.Name, r.Target.Name)
	}
	if j := r.Junction; j != nil {
		return fmt.Sprintf("%v %s -> %s.%s(%s) %s(%s) -> %s", r.Cardinality, columns(j.Origin, left), j.Table.Name,
			j.OriginConstraint, columns(j.Origin, right), j.TargetConstraint, columns(j.Target, right), r.Target.Name)
	}
	holder := ""
	if r.OriginHoldsKey {
		holder = " holder"
	}
	return fmt.Sprintf("%v%s %s(%s) -> %s(%s)", r.Cardinality, holder, r.Constraint, columns(r.Columns, left), r.Target.Name, columns(r.Columns, right))
}

func left(p schema.ColumnPair) string  { return p.Left }
func right(p schema.ColumnPair) string { return p.Right }

func columns(pairs []schema.ColumnPair, side func(schema.ColumnPair) string) string {
	names := make([]string, len(pairs))
	for i, p := range pairs {
		names[i] = side(p)
	}
	return strings.Join(names, ", ")
}

// describeAll are the relationships within schema api of the named relations.
func describeAll(s *schema.Snapshot, origins ...string) map[string][]string {
	all := make(map[string][]string)
	for _, o := range origins {
		for _, r := range s.RelationshipsFrom(name(o), "api") {
			all[o] = append(all[o], describe(r))
		}
	}
	return all
}

func TestRelationshipsOfForeignKeys(t *testing.T) {
	load := sandbox(t)
	for _, tc := range []struct {
		what, sql string
		want      map[string][]string
	}{
		{"many to one and back", `
			create table api.client (id int primary key);
			create table api.project (id int primary key, client_id int constraint client references api.client);`,
			map[string][]string{
				"project": {"many-to-one client(client_id) -> client(id)"},
				"client":  {"one-to-many client(id) -> project(client_id)"},
			}},
		{"one to one through the primary key", `
			create table api.person (id int primary key);
			create table api.passport (id int primary key constraint owner references api.person);`,
			map[string][]string{
				"passport": {"one-to-one holder owner(id) -> person(id)"},
				"person":   {"one-to-one owner(id) -> passport(id)"},
			}},
		{"one to one through a unique constraint, columns in another order", `
			create table api.a (x int, y int, primary key (x, y));
			create table api.b (p int, q int, unique (q, p), constraint ab foreign key (p, q) references api.a (y, x));`,
			map[string][]string{
				"a": {"one-to-one ab(y, x) -> b(p, q)"},
				"b": {"one-to-one holder ab(p, q) -> a(y, x)"},
			}},
		{"a unique index is not enough for one to one", `
			create table api.a (id int primary key);
			create table api.b (a_id int constraint ab references api.a);
			create unique index on api.b (a_id);`,
			map[string][]string{"b": {"many-to-one ab(a_id) -> a(id)"}}},
		{"part of a unique constraint is not enough", `
			create table api.a (id int primary key);
			create table api.b (a_id int constraint ab references api.a, n int, primary key (a_id, n));`,
			map[string][]string{"b": {"many-to-one ab(a_id) -> a(id)"}}},
		{"self", `create table api.node (id int primary key, parent int constraint up references api.node);`,
			map[string][]string{"node": {"one-to-many up(id) -> node(parent)", "many-to-one up(parent) -> node(id)"}}},
		{"self, one to one", `create table api.node (id int primary key, next int unique constraint ahead references api.node);`,
			map[string][]string{"node": {"one-to-one ahead(id) -> node(next)", "one-to-one holder ahead(next) -> node(id)"}}},
		{"two keys to the same table, in the order of their names", `
			create table api.place (id int primary key);
			create table api.trip (origin int constraint z references api.place, goal int constraint a references api.place);`,
			map[string][]string{
				"trip":  {"many-to-one a(goal) -> place(id)", "many-to-one z(origin) -> place(id)"},
				"place": {"one-to-many a(id) -> trip(goal)", "one-to-many z(id) -> trip(origin)"},
			}},
		{"not to a schema that is not exposed", `
			create table private.secret (id int primary key);
			create table api.t (id int constraint s references private.secret);`,
			map[string][]string{}},
		{"a partitioned table's key counts once, its partitions not at all", `
			create table api.model (id int primary key);
			create table api.sale (day date, model int constraint sold references api.model) partition by range (day);
			create table api.sale_2026 partition of api.sale for values from ('2026-01-01') to ('2027-01-01');`,
			map[string][]string{
				"sale":  {"many-to-one sold(model) -> model(id)"},
				"model": {"one-to-many sold(id) -> sale(model)"},
			}},
		{"to a partitioned table", `
			create table api.sale (id int, day date, primary key (id, day)) partition by range (day);
			create table api.sale_2026 partition of api.sale for values from ('2026-01-01') to ('2027-01-01');
			create table api.line (sale int, day date, constraint of foreign key (sale, day) references api.sale);`,
			map[string][]string{
				"line":      {"many-to-one of(sale, day) -> sale(id, day)"},
				"sale":      {"one-to-many of(id, day) -> line(sale, day)"},
				"sale_2026": nil,
			}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s := load(t, exposing("api"), "create schema api; create schema private;"+tc.sql)
			for origin, want := range tc.want {
				if d := cmp.Diff(want, describeAll(s, origin)[origin]); d != "" {
					t.Errorf("from %s (-want +got):\n%s", origin, d)
				}
			}
			if len(tc.want) == 0 && len(s.Relationships) != 0 {
				t.Errorf("got %v", s.Relationships)
			}
		})
	}
}

func TestSelfIsMarked(t *testing.T) {
	s := load(t, exposing("api"), `create schema api;
		create table api.node (id int primary key, parent int references api.node);
		create table api.leaf (node int references api.node);`)
	for _, r := range s.RelationshipsFrom(name("node"), "api") {
		if r.Self != (r.Target == r.Origin) {
			t.Errorf("%s: self is %v", describe(r), r.Self)
		}
	}
}

func TestManyToMany(t *testing.T) {
	const ends = `create schema api; create schema private;
		create table api.film (id int primary key);
		create table api.actor (id int primary key);`
	const found = "many-to-many id -> role.role_film(film) role_actor(actor) -> actor"
	load := sandbox(t)
	for _, tc := range []struct {
		what, sql string
		want      []string // from film to actor
	}{
		{"both keys make the primary key", `create table api.role (
			film int constraint role_film references api.film, actor int constraint role_actor references api.actor,
			primary key (film, actor));`, []string{found}},
		{"the primary key has more columns", `create table api.role (
			film int constraint role_film references api.film, actor int constraint role_actor references api.actor, n int,
			primary key (n, actor, film));`, []string{found}},
		{"one key is outside the primary key", `create table api.role (
			film int constraint role_film references api.film, actor int constraint role_actor references api.actor, n int,
			primary key (n, film));`, nil},
		{"there is no primary key", `create table api.role (
			film int not null constraint role_film references api.film, actor int not null constraint role_actor references api.actor,
			unique (film, actor));`, nil},
		{"the junction is not exposed", `create table private.role (
			film int constraint role_film references api.film, actor int constraint role_actor references api.actor,
			primary key (film, actor));`, nil},
		{"a view of a hidden junction will do", `create table private.role (
			film int constraint role_film references api.film, actor int constraint role_actor references api.actor,
			primary key (film, actor));
			create view api.role as select film as f, actor as a from private.role;`,
			[]string{"many-to-many id -> role.role_film(f) role_actor(a) -> actor"}},
		{"two ways, in order", `create table api.role (
			film int constraint role_film references api.film, actor int constraint role_actor references api.actor,
			stand_in int constraint role_a_stand_in references api.actor,
			primary key (film, actor, stand_in));`,
			[]string{"many-to-many id -> role.role_film(film) role_a_stand_in(stand_in) -> actor", found}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s := load(t, exposing("api"), ends+tc.sql)
			var got []string
			for _, r := range s.RelationshipsFrom(name("film"), "api") {
				if r.Target == name("actor") {
					got = append(got, describe(r))
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("film to actor (-want +got):\n%s", d)
			}
		})
	}
}

func TestManyToManyWithItself(t *testing.T) {
	s := load(t, exposing("api"), `create schema api;
		create table api.person (id int primary key);
		create table api.follow (who int constraint w references api.person, whom int constraint x references api.person, primary key (who, whom));`)
	want := []string{
		"one-to-many w(id) -> follow(who)",
		"one-to-many x(id) -> follow(whom)",
		"many-to-many id -> follow.w(who) x(whom) -> person",
		"many-to-many id -> follow.x(whom) w(who) -> person",
	}
	if d := cmp.Diff(want, describeAll(s, "person")["person"]); d != "" {
		t.Errorf("from person (-want +got):\n%s", d)
	}
}

func TestRelationshipsAcrossExposedSchemas(t *testing.T) {
	s := load(t, exposing("api", "shop"), `create schema api; create schema shop;
		create table api.a (id int primary key);
		create table shop.b (a int constraint ab references api.a);`)
	rels := s.RelationshipsFrom(name("a"), "shop")
	if len(rels) != 1 || describe(rels[0]) != "one-to-many ab(id) -> b(a)" {
		t.Errorf("from api.a to schema shop: %v", rels)
	}
	if rels := s.RelationshipsFrom(name("a"), "api"); rels != nil {
		t.Errorf("from api.a to its own schema: %v", rels)
	}
}

func TestComputedRelationships(t *testing.T) {
	s := load(t, exposing("api", "extra"), `create schema api; create schema extra; create schema private;
		create table private.hidden (id int);
		create table api.designer (id int primary key);
		create table api.game (id int primary key, designer int constraint made_by references api.designer);
		create view api.old_game as select * from api.game;
		create function api.many(api.designer) returns setof api.game language sql as 'select * from api.game';
		create function api.by_rows(api.game) returns setof api.designer rows 1 language sql as 'select * from api.designer';
		create function api.single(api.game) returns api.designer language sql as 'select * from api.designer';
		create function api.designer(api.game) returns setof api.designer rows 1 language sql as 'select * from api.designer';
		create function api.old(api.old_game) returns setof api.old_game language sql as 'select $1';
		create function extra.elsewhere(api.game) returns setof api.designer language sql as 'select * from api.designer';
		create function api.two(api.game, int) returns setof api.designer language sql as 'select * from api.designer';
		create function api.field(api.game) returns int language sql as 'select 1';
		create function api.hide(api.game) returns setof private.hidden language sql as 'select * from private.hidden';`)
	want := map[string][]string{
		"designer": {
			"one-to-many made_by(id) -> game(designer)",
			"one-to-many made_by(id) -> old_game(designer)",
			"one-to-many api.many(designer) -> game",
		},
		// The function designer stands in place of the foreign key to designer.
		"game": {
			"many-to-one api.by_rows(game) -> designer",
			"many-to-one api.designer(game) -> designer",
			"many-to-one api.single(game) -> designer",
		},
		"old_game": {
			"many-to-one made_by(designer) -> designer(id)",
			"one-to-many api.old(old_game) -> old_game",
		},
	}
	if d := cmp.Diff(want, describeAll(s, "designer", "game", "old_game")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	elsewhere := s.RelationshipsFrom(name("game"), "extra")
	if len(elsewhere) != 1 || describe(elsewhere[0]) != "one-to-many extra.elsewhere(game) -> designer" {
		t.Errorf("in the function's schema: %v", elsewhere)
	}
	old := s.RelationshipsFrom(name("old_game"), "api")[1]
	if !old.Self || !old.OriginIsView || !old.TargetIsView {
		t.Errorf("from a view to itself: %+v", old)
	}
}
