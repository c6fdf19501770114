package promises_test

import "testing"

// TestNothingOld has changes that reach an answer by a way that is easily overlooked: each was kept before it, and must not
// be given after it.
func TestNothingOld(t *testing.T) {
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
	} {
		t.Run(tc.what, func(t *testing.T) {
			s := serve(t, "create table registers (id int primary key);"+tc.sql)
			s.get(tc.path)
			before := s.get(tc.path)
			s.exec(tc.change)
			s.quiesce()
			after, want := s.get(tc.path), s.direct(tc.path)
			if want.body == before.body {
				t.Fatalf("the change changes nothing: %d %s", want.StatusCode, want.body)
			}
			t.Logf("%s", before.Header["Cache-Status"])
			if after.body != want.body {
				t.Errorf("%s %s, want %s", after.Header["Cache-Status"], after.body, want.body)
			}
		})
	}
}
