package schema_test

import (
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/schema"
)

// reachBase is what the relations of the tests are made of.
const reachBase = `
	create schema api; create schema private; create schema auth;
	create table private.a (id int primary key, owner text, at timestamptz, data jsonb);
	create table private.b (id int primary key, a int references private.a, note text);
	create function auth.uid() returns uuid language sql stable as $$
	  select
	  coalesce(
	    nullif(current_setting('request.jwt.claim.sub', true), ''),
	    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
	  )::uuid
	$$;
	create function private.written() returns int language plpgsql stable as $$ begin return 1; end $$;
	create function private.seen(who text) returns boolean language sql stable
	  begin atomic select exists (select from private.b where note = who); end;`

// describeReach names what is in a Reach: the tables, *one* for a single one, the settings, and why it is opaque.
func describeReach(t *testing.T, tables map[uint32]string, r schema.Reach) string {
	t.Helper()
	var out []string
	for _, oid := range r.Tables {
		out = append(out, tables[oid])
	}
	if r.Single {
		out = append(out, "single")
	}
	for _, s := range r.Settings {
		out = append(out, strings.TrimSuffix("$"+s.Name+"."+s.Claim, "."))
	}
	if r.Opaque != "" {
		out = append(out, "! "+r.Opaque)
	}
	return strings.Join(out, " ")
}

func TestReach(t *testing.T) {
	const secured = `create table api.t (id int primary key, owner text, org int, at timestamptz, data jsonb);
		alter table api.t enable row level security; create policy p on api.t for select using (`
	load := sandbox(t)
	for _, tc := range []struct{ what, sql, want string }{
		{"a table", `create table api.t (id int)`, "t single"},
		{"an unlogged table", `create unlogged table api.t (id int)`, "t ! reads a table whose changes are not logged"},
		{"a partitioned table", `create table api.t (id int) partition by list (id);
			create table private.t1 partition of api.t for values in (1) partition by list (id);
			create table private.t2 partition of private.t1 for values in (1)`, "t2"},
		{"a table that others inherit from", `create table api.t (id int); create table private.t1 (x int) inherits (api.t)`, "t t1"},
		{"a view", `create view api.t as select * from private.a join private.b using (id)`, "a b"},
		{"a view of a view elsewhere", `create view private.v as select * from private.a; create view api.t as select * from private.v`, "a"},
		{"a view with sub-queries", `create view api.t as with c as (select * from private.a) select id, exists (select from private.b) from c`, "a b"},
		{"a view with built-in functions", `create view api.t as select id as c0, upper(owner) || id::text as c1, data ->> 'k' as c2, to_jsonb(owner) as c3, coalesce(owner, 'x') as c4, greatest(id, 2) as c5, case when id > 1 then 1 end as c6,
			array[id] as c7, row(id, owner)::text as c8, id in (1, 2) as c9, owner like 'a%' as c10, to_char(at, 'YYYY') as c11, sum(id) over (order by at) as c12, data is null as c13,
			owner is distinct from 'b' as c14, (data -> 'a')::int as c15, current_user as c16, substring(owner from 1 for 2) as c17, at::date as c18, json_build_object('a', id) as c19 from private.a`, "a"},
		{"aggregates", `create view api.t as select count(*), max(at), array_agg(owner order by id), string_agg(owner, ','),
			json_agg(a) from private.a a group by at having count(*) > 1`, "a"},
		{"set operations", `create view api.t as select id from private.a union select id from private.b order by 1`, "a b"},
		{"the clock", `create view api.t as select * from private.a where at > now()`, "a ! calls now(), whose result depends on more than its arguments"},
		{"the date", `create view api.t as select * from private.a where at > current_date`, "a ! reads the clock"},
		{"age", `create view api.t as select age(at) from private.a`, "a ! calls age(), whose result depends on more than its arguments"},
		{"text that may mean today", `create view api.t as select owner::date from private.a`,
			"a ! turns text into a type whose values may depend on the time or on the catalog"},
		{"texts that may mean today", `create view api.t as select array[owner]::date[] from private.a`,
			"a ! turns text into a type whose values may depend on the time or on the catalog"},
		{"a constant of today is one", `create view api.t as select * from private.a where at > 'today'`, "a"},
		{"chance", `create view api.t as select random() from private.a`, "a ! calls random(), whose result depends on more than its arguments"},
		{"a sample", `create view api.t as select * from private.a tablesample system (10)`, "a ! reads a random sample"},
		{"the catalog", `create view api.t as select relname from pg_class`, "! reads the system catalog"},
		{"privileges", `create view api.t as select has_table_privilege('private.a', 'select') from private.a`,
			"a ! calls has_table_privilege(), whose result depends on more than its arguments"},
		{"a materialised view", `create materialized view api.t as select * from private.a`, "t"},
		{"a view of one", `create materialized view private.m as select * from private.a; create view api.t as select * from private.m`, "m"},
		{"a foreign table", `create foreign data wrapper w; create server s foreign data wrapper w; create foreign table api.t (id int) server s`,
			"! reads a foreign table"},
		{"a function with a text for its body", `create view api.t as select private.written() from private.a`,
			"a ! calls written(), whose body is a text that is not looked into"},
		{"a function that is parsed", `create view api.t as select private.seen(owner) from private.a`, "a b"},
		{"a sequence", `create sequence api.s; create view api.t as select last_value from api.s`, `! reads a relation of kind "S"`},
		{"a setting", `create view api.t as select * from private.a where owner = current_setting('app.owner', true)`, "a $app.owner"},
		{"a setting with a computed name", `create view api.t as select current_setting(owner, true) from private.a`,
			"a ! reads a setting whose name is computed"},
		{"policies that are not enabled", `create table api.t (id int); create policy p on api.t using (now() > '2000-01-01')`, "t single"},
		{"a policy for writes", `create table api.t (id int); alter table api.t enable row level security;
			create policy p on api.t for update using (now() > '2000-01-01')`, "t single"},
		{"a policy on a claim", secured + `owner = (current_setting('request.jwt.claims', true)::json ->> 'sub'))`,
			"t single $request.jwt.claims.sub"},
		{"a policy on a claim by nullif", secured + `(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'org_id')::int = org)`,
			"t single $request.jwt.claims.org_id"},
		{"a policy on a nested claim", secured + `org = (current_setting('request.jwt.claims')::jsonb -> 'app' ->> 'org')::int)`,
			"t single $request.jwt.claims.app"},
		{"a policy on all claims", secured + `current_setting('request.jwt.claims', true)::jsonb @> data)`, "t single $request.jwt.claims"},
		{"a claim with odd characters", secured + `owner = (current_setting('Request.JWT.claims', true)::json ->> 'é) :opno ('))`,
			"t single $request.jwt.claims.é) :opno ("},
		{"a computed claim", secured + `current_setting('request.jwt.claims', true)::jsonb ->> owner = 'x')`, "t single $request.jwt.claims"},
		{"a header", secured + `owner = (current_setting('request.headers', true)::json ->> 'x-owner'))`, "t single $request.headers.x-owner"},
		{"Supabase's function", secured + `owner::uuid = auth.uid())`, "t single $request.jwt.claim.sub $request.jwt.claims.sub"},
		{"Supabase's function in a sub-query", secured + `owner::uuid = (select auth.uid()))`,
			"t single $request.jwt.claim.sub $request.jwt.claims.sub"},
		{"a policy with a sub-query", secured + `exists (select from private.b where b.id = org and note = current_setting('app.note')))`,
			"b t $app.note"},
		{"a policy that looks at the whole table with its owner's rights", `create table api.t (id int primary key, owner text);
			create function private.member(who text) returns boolean stable security definer
				begin atomic select exists (select from api.t where owner = who); end;
			alter table api.t enable row level security; create policy p on api.t using (private.member('x'))`, "t"},
		{"a policy that looks at the whole table through a view", secured + `true); create view private.v as select * from api.t;
			create policy q on api.t for select using (exists (select from private.v where v.org = t.org))`, "t"},
		{"a time of day that is given a zone", `create view api.t as select at::time::timetz from private.a`,
			"a ! calls timetz(), whose result depends on more than its arguments"},
		{"a setting that may be missing or not, as a table says", secured +
			`owner = (current_setting('request.jwt.claims', (select bool_or(id > 0) from private.b))::json ->> 'sub'))`,
			"b t $request.jwt.claims"},
		{"a function of the user's among PostgreSQL's", `create function pg_catalog.slip_own(int) returns int immutable language plpgsql
				as $$ begin return (select count(*) from private.b); end $$;
			create view api.t as select pg_catalog.slip_own(id) from private.a`,
			"a ! calls slip_own(), whose body is a text that is not looked into"},
		{"a policy on the clock", secured + `at < clock_timestamp())`, "t ! calls clock_timestamp(), whose result depends on more than its arguments"},
		{"policies on the way", `create policy p on private.b using (note = current_setting('app.note')); alter table private.b enable row level security;
			create view api.t as select private.seen(owner) from private.a`, "a b $app.note"},
		{"a circle", `create view api.t as select 1 as id; create view private.v as select * from api.t; create or replace view api.t as select id from private.v`, ""},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s := load(t, exposing("api", "private"), reachBase+tc.sql)
			tables := map[uint32]string{}
			for name, r := range s.Relations {
				tables[r.OID] = name.Name
			}
			for _, oid := range s.Relations[schema.Name{Schema: "api", Name: "t"}].Reach.Tables {
				if tables[oid] == "" {
					tables[oid] = "t2" // a partition is not exposed
				}
			}
			got := describeReach(t, tables, s.Relations[schema.Name{Schema: "api", Name: "t"}].Reach)
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestReachOfFunctions(t *testing.T) {
	load := sandbox(t)
	for _, tc := range []struct{ what, sql, want string }{
		{"a parsed body", `create function api.f(n int) returns bigint stable begin atomic select count(*) from private.a where id > n; end`, "a"},
		{"an expression", `create function api.f(n int) returns int stable return n + 1`, ""},
		{"a default on the clock", `create function api.f(n timestamptz default now()) returns int stable return 1`,
			"! calls now(), whose result depends on more than its arguments"},
		{"a constant default", `create function api.f(n int default 1 + 1) returns int stable return n`, ""},
		{"a text for a body", `create function api.f() returns int stable language sql as 'select 1'`,
			"! calls f(), whose body is a text that is not looked into"},
		{"a function in a function", `create function private.g() returns int stable return (select max(id) from private.b);
			create function api.f() returns int stable return private.g()`, "b"},
		{"a setting", `create function api.f() returns text stable return current_setting('app.x', true)`, "$app.x"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s := load(t, exposing("api", "private"), reachBase+tc.sql)
			tables := map[uint32]string{}
			for name, r := range s.Relations {
				tables[r.OID] = name.Name
			}
			f := s.Functions[schema.Name{Schema: "api", Name: "f"}]
			if len(f) != 1 {
				t.Fatalf("%d functions", len(f))
			}
			if got := describeReach(t, tables, f[0].Reach); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
