package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/schema"
)

func TestIndexes(t *testing.T) {
	s := load(t, exposing("api"), `create schema api; create schema private;
		create table api.t (gone int, a int, b int, c text, d text, e int[], f int, g int, primary key (b, a));
		alter table api.t drop column gone;
		create index on api.t (c) include (d);
		create index on api.t (c, lower(d), f);
		create index on api.t (lower(d), d);
		create index on api.t (d) where a > 0;
		create index on api.t using gin (e);
		create index on api.t using hash (g);
		create table api.invalid (a int); create index invalid_a on api.invalid (a);
		update pg_index set indisvalid = false where indexrelid = 'api.invalid_a'::regclass;
		create table api.parted (id int, at date) partition by range (at);
		create table api.parted_1 partition of api.parted for values from ('2020-01-01') to ('2021-01-01');
		create index on api.parted (at);
		create table private.hidden (id int primary key, x int, y int, z int); create index on private.hidden (x, y, z);
		create view api.v as select id as key, id as again, x, z, y + 1 as y from private.hidden;
		create view api.of_v as select x as far from api.v;
		create materialized view api.m as select id, x from private.hidden;
		create index on api.m (x);`)
	for relation, want := range map[string][][]string{
		"t":       {{"c"}, {"e"}, {"g"}, {"b", "a"}},
		"invalid": nil,
		"parted":  {{"at"}},
		"v":       {{"again"}, {"key"}, {"x"}},
		"of_v":    {{"far"}},
		"m":       {{"x"}},
	} {
		r := s.Relation(schema.Name{Schema: "api", Name: relation})
		if r == nil {
			t.Fatalf("no relation %s", relation)
		}
		if d := cmp.Diff(want, r.Indexes); d != "" {
			t.Errorf("%s (-want +got):\n%s", relation, d)
		}
	}
}
