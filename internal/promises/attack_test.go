package promises_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestNothingOld has changes that reach an answer by a way that is easily overlooked: each was kept before it, and must not
// be given after it.
func TestNothingOld(t *testing.T) {
	unlogged := map[string]bool{"the owner of everything": true} // which is looked at now and then
	for _, tc := range []struct{ what, sql, path, change string }{
		{"a policy that looks at other rows of its own table", `
			create table docs (id int primary key, open bool);
			create function public.any_open() returns bool security definer language sql stable
				begin atomic select exists (select from api.docs d where d.id = 1 and d.open); end;
			alter table docs enable row level security;
			create policy p on docs using (public.any_open());
			insert into docs values (1, true), (2, true)`,
			"/docs?id=eq.2", `update api.docs set open = false where id = 1`},
		{"a policy that looks at its own table by a view", `
			create table docs (id int primary key, open bool);
			create view public.all_docs as select * from docs;
			grant select on public.all_docs to ANON;
			alter table docs enable row level security;
			create policy p on docs using (exists (select from public.all_docs d where d.id = 1 and d.open));
			insert into docs values (1, true), (2, true)`,
			"/docs?id=eq.2", `update api.docs set open = false where id = 1`},
		{"infinity at the end of a page", `
			create table docs (id int primary key, at timestamptz);
			insert into docs values (5, 'infinity'), (6, '2020-01-01')`,
			"/docs?order=at.desc,id&limit=1", `insert into api.docs values (1, 'infinity')`},
		{"minus infinity at the end of a page", `
			create table docs (id int primary key, at date);
			insert into docs values (5, '-infinity'), (6, '2020-01-01')`,
			"/docs?order=at.asc.nullsfirst,id&limit=1", `insert into api.docs values (1, '-infinity')`},
		{"a time before Christ at the end of a page", `
			create table docs (id int primary key, at timestamp);
			insert into docs values (5, '2020-01-01'), (6, '0044-03-15 BC')`,
			"/docs?order=at.desc,id&limit=2", `insert into api.docs values (1, '0010-01-01')`},
		{"a cast to JSON that looks elsewhere", `
			create type mood as enum ('a', 'b');
			create table labels (mood mood primary key, label text);
			create function mood_json(mood) returns json language sql stable security definer
				as 'select to_json(label) from api.labels where mood = $1';
			create cast (mood as json) with function mood_json(mood);
			create table docs (id int primary key, mood mood);
			insert into labels values ('a', 'old'); insert into docs values (1, 'a')`,
			"/docs", `update api.labels set label = 'new'`},
		{"the owner of a view", `
			create table docs (id int primary key, open bool);
			insert into docs values (1, true), (2, false);
			alter table docs enable row level security;
			create policy p on docs using (open);
			create view v as select * from docs;
			grant create on schema api to MEMBER`,
			"/v", `alter view api.v owner to MEMBER`},
		{"the owner of everything", `
			create table docs (id int primary key, open bool);
			insert into docs values (1, true), (2, false);
			alter table docs enable row level security;
			create policy p on docs using (open);
			create view v as select * from docs;
			grant create on schema api to MEMBER;
			alter view v owner to MEMBER; alter table docs owner to LOGIN; grant select on docs to ANON`,
			"/v", `reassign owned by MEMBER to LOGIN`},
		{"the name of an enum's value", `
			create type mood as enum ('a', 'b'); create table docs (id int primary key, mood mood); insert into docs values (1, 'a')`,
			"/docs", `alter type api.mood rename value 'a' to 'c'`},
		{"a table that inherits", `
			create table docs (id int primary key); insert into docs values (1); create table public.more (id int primary key); insert into public.more values (2)`,
			"/docs", `alter table public.more alter id set not null, inherit api.docs`},
		{"a partition with rows", `
			create table docs (id int primary key) partition by list (id); create table one partition of docs for values in (1); insert into docs values (1);
			create table two (id int primary key); insert into two values (2)`,
			"/docs", `alter table api.docs attach partition api.two for values in (2)`},
		{"a function in a view", `
			create table docs (id int primary key); insert into docs values (1);
			create function f(int) returns int immutable begin atomic select $1; end;
			create view v as select f(id) from docs`,
			"/v", `create or replace function api.f(int) returns int immutable begin atomic select $1 + 1; end`},
		{"a configuration of text search", `
			create table docs (id int primary key, t text); insert into docs values (1, 'the cats');
			create text search configuration public.mine (copy = pg_catalog.simple)`,
			"/docs?t=fts(mine).cat", `alter text search configuration public.mine alter mapping for asciiword with english_stem`},
		{"a trigger's doing", `
			create table docs (id int primary key, n int); create table other (id int primary key); insert into docs values (1, 0);
			create function bump() returns trigger language plpgsql as 'begin update api.docs set n = n + 1; return null; end';
			create trigger t after insert on other execute function bump()`,
			"/docs?id=eq.1", `insert into api.other values (1)`},
		{"replicated changes, whose triggers do not fire", `create table docs (id int primary key, n int); insert into docs values (1, 0)`,
			"/docs?id=eq.1", `set session_replication_role = replica; update api.docs set n = 5; alter table api.docs add column more int`},
		{"keys that others refer to", `
			create table docs (id int primary key, name text); create table parts (id int primary key, doc int references docs on delete set null);
			insert into docs values (1, 'd'); insert into parts values (1, 1)`,
			"/parts?select=id,docs(name)", `delete from api.docs`},
		{"truncate that cascades", `
			create table docs (id int primary key); create table parts (id int primary key, doc int references docs);
			insert into docs values (1); insert into parts values (1, 1)`,
			"/parts?id=eq.1", `truncate api.docs cascade`},
		{"merge", `create table docs (id int primary key, n int); insert into docs values (1, 0)`,
			"/docs?n=eq.0", `merge into api.docs d using (values (1, 4), (2, 0)) v (id, n) on v.id = d.id
				when matched then update set n = v.n when not matched then insert values (v.id, v.n)`},
		{"seventy subtransactions", `create table docs (id int primary key, n int); insert into docs values (1, 0);
			create procedure many() language plpgsql as 'begin for i in 1..70 loop begin update api.docs set n = i; exception when others then null; end; end loop; end'`,
			"/docs?id=eq.1", `call api.many()`},
		{"a view's rows of a policy with the caller's rights", `
			create table docs (id int primary key, owner text); insert into docs values (1, 'ANON');
			alter table docs enable row level security;
			create policy p on docs using (owner = current_user);
			create view v with (security_invoker = true) as select * from docs`,
			"/v", `update api.docs set owner = 'someone'`},
		{"a right to a column", `create table docs (id int primary key, n int); insert into docs values (1, 0)`,
			"/docs?select=n&n=eq.0", `revoke select on api.docs from ANON; grant select (id) on api.docs to ANON`},
		{"a junction row alone", `
			create table a (id int primary key); create table b (id int primary key);
			create table ab (a int references a, b int references b, primary key (a, b));
			insert into a values (1); insert into b values (1), (2)`,
			"/a?select=id,b(id)", `insert into api.ab values (1, 2)`},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			s := serve(t, "create table registers (id int primary key);"+tc.sql)
			s.get(tc.path)
			before := s.get(tc.path)
			s.exec(tc.change)
			s.quiesce()
			want := s.direct(tc.path)
			if want.body == before.body {
				t.Fatalf("the change changes nothing: %d %s", want.StatusCode, want.body)
			}
			if unlogged[tc.what] {
				eventually(t, "the change is known", func() bool { return s.get(tc.path).body == want.body })
			}
			after := s.get(tc.path)
			if after.body != want.body {
				t.Errorf("%s %s, want %s", after.Header["Cache-Status"], after.body, want.body)
			}
		})
	}
}

// TestMatches has rows appear that a filter finds, by ways in which values are the same or in order that only the database
// knows.
func TestMatches(t *testing.T) {
	s := serve(t, `create table registers (id int primary key);
		create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		create domain small as int check (value < 1000);
		create type mood as enum ('sad', 'ok', 'happy');
		create table docs (id int primary key, t text, nocase text collate nocase, c char(5), v varchar(9), n numeric, f float8, s small, m mood, b bool,
			u uuid, d date, ts timestamp, tz timestamptz, i interval, a int[], j jsonb, g int generated always as (s * 2) stored, r int4range, o oid, y bytea);
		insert into docs (id, t, nocase, c, v, n, f, s, m, b, u, d, ts, tz, i, a, j, r, o, y) select -x, 'q' || x, 'q', 'q', 'q', -1, -1, -1, 'sad', false, null, '1999-01-01', '1999-01-01', '1999-01-01Z', '1 s', '{}', '{}', '[1,2)', 1, ''
			from generate_series(1, 5) x`)
	id := 0
	for _, tc := range []struct{ query, columns, values string }{
		{"nocase=eq.ABC", "nocase", "'abc'"},
		{"nocase=in.(ABC,D)", "nocase", "'d'"},
		{"c=eq.ab", "c", "'ab  '"},
		{"c=in.(ab,cd)", "c", "'cd'"},
		{"n=eq.1", "n", "1.00"},
		{"n=gt.10", "n", "100"},
		{"f=eq.0", "f", "'-0'"},
		{"f=gt.5", "f", "'NaN'"},
		{"s=eq.007", "s", "7"},
		{"s=eq.%2B8", "s", "8"},
		{"s=in.(9, 10)", "s", "10"},
		{"g=eq.22", "s", "11"},
		{"g=gt.900&order=g.desc,id&limit=1", "s", "990"},
		{"order=g.desc.nullslast,id&limit=1", "s", "995"},
		{"m=gt.ok", "m", "'happy'"},
		{"m=eq.ok", "m", "'ok'"},
		{"b=eq.1", "b", "true"},
		{"b=eq.TRUE&id=gt.0", "b", "true"},
		{"b=is.true&t=neq.x", "b, t", "true, 'y'"},
		{"u=eq.ABCDEF00-0000-0000-0000-000000000001", "u", "'abcdef00-0000-0000-0000-000000000001'"},
		{"u=eq.{abcdef00-0000-0000-0000-000000000002}", "u", "'abcdef00-0000-0000-0000-000000000002'"},
		{"u=gt.abcdef00-0000-0000-0000-000000000002", "u", "'abcdef00-0000-0000-0000-00000000000a'"},
		{"d=eq.20200105", "d", "'2020-01-05'"},
		{"d=eq.infinity", "d", "'infinity'"},
		{"d=gt.10000-01-01", "d", "'10001-01-01'"},
		{"d=lt.0001-01-01", "d", "'0044-03-15 BC'"},
		{"d=lt.0044-01-01 BC", "d", "'0045-03-15 BC'"},
		{"d=gt.2021-01-01&order=d,id", "d", "'2021-01-02'"},
		{"ts=eq.2020-01-05", "ts", "'2020-01-05 00:00'"},
		{"ts=eq.2020-01-05T10:00:00Z", "ts", "'2020-01-05 10:00'"},
		{"ts=gt.2020-01-06T10:00:00.5", "ts", "'2020-01-06 10:00:00.51'"},
		{"ts=lt.1960-01-01T10:00:00.25", "ts", "'1960-01-01 10:00:00.2'"},
		{"ts=gte.2030-01-01T24:00:00", "ts", "'2030-01-02'"},
		{"tz=eq.2020-01-05T12:00:00%2B02:00", "tz", "'2020-01-05T10:00:00Z'"},
		{"tz=eq.2020-01-06T12:00:00.1234567Z", "tz", "'2020-01-06T12:00:00.123457Z'"},
		{"tz=eq.2020-01-07", "tz", "'2020-01-07'"},
		{"tz=lt.1990-01-01T00:00:00%2B05:30", "tz", "'1989-12-31T18:29:59Z'"},
		{"tz=eq.epoch", "tz", "'1970-01-01T00:00:00Z'"},
		{"i=eq.24 hours", "i", "'1 day'"},
		{"a=cs.{5}", "a", "'{4,5}'"},
		{"a=eq.{7}", "a", "'{7}'"},
		{"j->>k=eq.x", "j", `'{"k": "x"}'`},
		{"j->k=eq.5", "j", `'{"k": 5.0}'`},
		{"r=cs.[5,6]", "r", "'[1,100)'"},
		{"o=eq.77", "o", "77"},
		{`y=eq.\x01`, "y", `'\x01'`},
		{"t=eq.", "t", "''"},
		{`t=in.("a,b",c)`, "t", "'a,b'"},
		{`t=in.("say \"x\"")`, "t", `'say "x"'`},
		{`t=in.("null")`, "t", "'null'"},
		{"t=in.(null)", "t", "'null'"},
		{"t=eq.null", "t", "'null'"},
		{`t=eq."quoted"`, "t", `'"quoted"'`},
		{"t=eq.%C3%A9", "t", "'é'"},
		{"t=like.za*", "t", "'zap'"},
		{"t=ilike.ZB*", "t", "'zbp'"},
		{"t=match.^zc", "t", "'zcp'"},
		{"t=gt.zd", "t", "'zz'"},
		{"t=gte(any).{zy,zx}", "t", "'zy'"},
		{"t=eq(any).{e1,e2}", "t", "'e2'"},
		{"t=isdistinct.q1&id=gt.0&limit=1&order=id.desc", "t", "'e3'"},
		{"v=eq.ab ", "v", "'ab '"},
		{"t=fts.cat", "t", "'a cat'"},
		{"or=(t.eq.o1,s.eq.123)", "s", "123"},
		{"not.or=(t.neq.o2,id.lt.0)", "t", "'o2'"},
		{"id=gt.0&order=t.desc.nullslast,id&limit=1", "t", "'ü'"},
		{"order=tz.desc.nullslast,id&limit=1", "tz", "'9999-12-31T23:59:59Z'"},
		{"order=tz.desc.nullslast,id&limit=2", "tz", "'20000-01-01T00:00:00Z'"},
		{"order=d.asc.nullslast,id&limit=1", "d", "'4000-01-01 BC'"},
		{"order=d.asc.nullslast,id&limit=2", "d", "'3999-01-01 BC'"},
		{"order=ts.desc.nullsfirst,id.desc&limit=3", "ts", "null"},
		{"order=id&limit=0", "t", "'nothing'"},
		{"select=count()", "t", "'one more'"},
		{"select=m,count()&m=not.is.null", "m", "'ok'"},
		{"id=gt.0&select=s.max()", "s", "999"},
		{"offset=3&order=id.desc&limit=2", "t", "'later'"},
	} {
		path := "/docs?" + strings.NewReplacer(" ", "%20", `"`, "%22", "{", "%7B", "}", "%7D", `\`, "%5C", ">", "%3E", "^", "%5E").Replace(tc.query)
		if !strings.Contains(path, "select=") {
			path += "&select=*"
		}
		s.get(path)
		before := s.get(path)
		if !before.hit() {
			t.Errorf("%s is not kept: %v %s", tc.query, before.Header["Cache-Status"], before.body)
			continue
		}
		id++
		s.exec(fmt.Sprintf("insert into api.docs (id, %s) values (%d, %s)", tc.columns, id, tc.values))
		s.quiesce()
		after, want := s.get(path), s.direct(path)
		if after.body != want.body {
			t.Errorf("%s: %s, want %s", tc.query, after.body, want.body)
		}
		if want.body == before.body && !strings.Contains(path, "limit=0") {
			t.Errorf("%s: the new row changes nothing: %s", tc.query, want.body)
		}
	}
}

// TestPages adds and takes away rows before, on and after pages that end at db-max-rows, at a limit or at a cursor.
func TestPages(t *testing.T) {
	s := serve(t, `create table registers (id int primary key);
		create table docs (id int primary key, n int, t text); create table parts (id int primary key, doc int references docs on delete cascade)`,
		func(s *site) { s.config.DBMaxRows = 3; s.config.CursorSecret = jwtSecret })
	const cursor = "Prefer: pagination=cursor"
	pages := []read{
		{path: "/docs?order=id", ordered: true}, {path: "/docs?order=n.desc,id", ordered: true}, {path: "/docs?order=t,id&limit=2", ordered: true},
		{path: "/docs?order=id&limit=2&offset=1", ordered: true}, {path: "/docs?order=id", headers: caller{"Range: 1-2"}, ordered: true},
		{path: "/docs?order=id", headers: caller{"Prefer: count=exact"}, ordered: true}, {path: "/docs?n=gt.2&order=n,id", ordered: true},
		{path: "/docs?select=id,parts(id)&order=id&parts.order=id", ordered: true}, {path: "/docs?select=id,parts(id)&order=id&parts.order=id.desc&parts.limit=1", ordered: true},
		{path: "/docs?order=id&limit=2", headers: caller{cursor}, ordered: true}, {path: "/docs?order=n,id&limit=2", headers: caller{cursor}, ordered: true},
	}
	changes := []string{
		"insert into api.docs values (10, 1, 'a'), (20, 2, 'b'), (30, 3, 'c'), (40, 4, 'd'), (50, 5, 'e')", "insert into api.docs values (5, 5, null)",
		"insert into api.docs values (25, 2, 'b')", "insert into api.docs values (60, 9, 'z')", "update api.docs set id = 1 where id = 50",
		"update api.docs set n = null where id = 20", "delete from api.docs where id = 10", "delete from api.docs where id = 60",
		"insert into api.parts values (1, 5), (2, 5), (3, 5), (4, 5), (5, 25)", "delete from api.parts where id = 4", "update api.parts set doc = 25 where id = 1",
		"insert into api.parts values (0, 5)", "update api.docs set t = 'aa' where id = 40", "truncate api.parts",
	}
	wrong := 0
	for _, change := range changes {
		for range 2 {
			for i := range pages {
				s.get(pages[i].path, pages[i].headers...)
			}
		}
		s.exec(change)
		s.quiesce()
		var tally shadowTally
		tally.compare(s, pages)
		wrong += tally.wrong
	}
	if last := &pages[len(pages)-1]; !s.get(last.path, last.headers...).hit() {
		t.Error("pages with cursors are not kept")
	}
	t.Logf("%d pages, %d changes, %d wrong", len(pages), len(changes), wrong)
}
