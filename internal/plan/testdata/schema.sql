-- A little cinema that has one of everything: each kind of relation, relationship, type and function that a plan treats
-- differently. Few rows, so that results can be read.
create schema api;
create schema hidden;
create schema other;
set search_path to api, public;

create type api.mood as enum ('calm', 'tense', 'funny');
create domain api.colour as int;
create function api.colour_json(c api.colour) returns json immutable language sql as
  $$ select to_json('#' || lpad(to_hex(c::int), 6, '0')) $$;
create function api.colour(t text) returns api.colour immutable language sql as
  $$ select (('x' || lpad(ltrim(t, '#'), 8, '0'))::bit(32)::int)::api.colour $$;
set client_min_messages to error; -- casts of domains are created with a warning
create cast (api.colour as json) with function api.colour_json(api.colour) as implicit;
create cast (text as api.colour) with function api.colour(text) as implicit;
reset client_min_messages;

create table api.countries (code text primary key, name text not null);
insert into api.countries values ('fr', 'France'), ('jp', 'Japan'), ('se', 'Sweden');

create table api.directors (
  id int primary key, name text not null, born date, country text references api.countries);
insert into api.directors values
  (1, 'Agnès', '1928-05-30', 'fr'), (2, 'Akira', '1910-03-23', 'jp'), (3, 'Nobody', null, null);

create table api.films (
  id int primary key, title text not null unique, year int, director_id int references api.directors,
  rating numeric, tags text[] not null default '{}', info jsonb, raw json, plot text, words tsvector,
  shade api.colour, mood api.mood, shown daterange);
insert into api.films values
  (1, 'Cléo', 1962, 1, 7.8, '{paris,walk}', '{"len": 90, "crew": [{"n": "a"}, {"n": "b"}], "bw": true}', '{"b": 2, "a": 1}',
   'A singer waits for a result', to_tsvector('english', 'A singer waits for a result'), 255, 'tense', '[1962-04-11,1962-08-01)'),
  (2, 'Ikiru', 1952, 2, 8.3, '{tokyo}', '{"len": 143, "crew": []}', '{"b": 1}',
   'A clerk learns to live', to_tsvector('english', 'A clerk learns to live'), 65280, 'calm', '[1952-10-09,)'),
  (3, 'Ran', 1985, 2, 8.2, '{}', null, null, null, null, null, null, null),
  (4, 'Untitled', null, null, null, '{walk}', '{"len": null}', '[1, 2]', 'Nothing', to_tsvector('english', 'Nothing'), 0, 'funny', null);

create table api.film_details (film_id int primary key references api.films, budget int);
insert into api.film_details values (1, 100), (3, 1200);

create table api.actors (id int primary key, name text not null);
insert into api.actors values (1, 'Corinne'), (2, 'Takashi'), (3, 'Tatsuya');
create table api.roles (
  film_id int references api.films, actor_id int references api.actors, role text, primary key (film_id, actor_id));
insert into api.roles values (1, 1, 'Cléo'), (2, 2, 'Watanabe'), (3, 3, 'Hidetora'), (3, 2, null);

-- two foreign keys to one table, and a table that refers to itself
create table api.people (id int primary key, name text not null, boss_id int references api.people);
insert into api.people values (1, 'Ann', null), (2, 'Bob', 1), (3, 'Cyd', 1), (4, 'Dot', 2);
create table api.reviews (
  id int primary key, film_id int not null references api.films, stars int,
  author_id int constraint reviews_author references api.people, editor_id int constraint reviews_editor references api.people);
insert into api.reviews values (1, 1, 5, 1, 2), (2, 1, 3, 2, null), (3, 2, 4, 1, 3), (4, 3, null, 3, 3);

-- keys of several columns
create table api.seats (row_no int, seat_no int, kind text, primary key (row_no, seat_no));
insert into api.seats values (1, 1, 'sofa'), (1, 2, null), (2, 1, 'stool');
create table api.bookings (id int primary key, row_no int, seat_no int, foreign key (row_no, seat_no) references api.seats);
insert into api.bookings values (1, 1, 1), (2, 1, 1), (3, 2, 1);

create table api.screenings (id int, day date, film_id int references api.films, primary key (id, day)) partition by range (day);
create table api.screenings_old partition of api.screenings for values from (minvalue) to ('2000-01-01');
create table api.screenings_new partition of api.screenings default;
insert into api.screenings values (1, '1999-12-31', 1), (2, '2000-01-01', 1), (1, '2020-05-05', 2);

create view api.film_list as select id, title, director_id from api.films;
create materialized view api.film_years as select year, count(*) as films from api.films group by year;
create table api.notes (text text, at timestamptz);
insert into api.notes values ('a', '2024-01-01 12:00+00'), ('a', '2024-01-01 12:00+00'), (null, null);
create foreign data wrapper none;
create server nowhere foreign data wrapper none;
create foreign table api.far (id int) server nowhere;
create table hidden.secrets (id int primary key, film_id int references api.films);
create view api.secret_view as select id, film_id from hidden.secrets;
create table other.films (id int primary key);
insert into other.films values (7);

-- computed fields and relationships
create function api.age(api.films) returns int stable language sql as $$ select 2000 - $1.year $$;
create function api.words_of(api.films) returns jsonb stable language sql as $$ select to_jsonb(string_to_array($1.plot, ' ')) $$;
create function api.maker(api.films) returns setof api.directors rows 1 stable language sql as
  $$ select * from api.directors d where d.id = $1.director_id $$;
create function api.siblings(api.films) returns setof api.films stable language sql as
  $$ select * from api.films f where f.director_id = $1.director_id and f.id <> $1.id $$;
create function api.works(api.directors) returns setof api.films stable language sql as
  $$ select * from api.films f where f.director_id = $1.id $$;

-- functions
create function api.add(a int, b int default 10) returns int immutable language sql as $$ select a + b $$;
create function api.over(a int) returns text immutable language sql as $$ select 'one ' || a $$;
create function api.over(a int, b int) returns text immutable language sql as $$ select 'two ' || a + b $$;
create function api.twice(a int) returns int immutable language sql as $$ select a $$;
create function api.twice(a text) returns text immutable language sql as $$ select a $$;
create function api.total(variadic n int[]) returns int immutable language sql as $$ select sum(x)::int from unnest(n) x $$;
create function api.join_all(sep text, variadic parts text[]) returns text immutable language sql as $$ select array_to_string(parts, sep) $$;
create function api.film(id int) returns api.films stable language sql as $$ select * from api.films f where f.id = film.id $$;
create function api.films_of(name text) returns setof api.films stable language sql as
  $$ select f.* from api.films f join api.directors d on d.id = f.director_id where d.name = films_of.name $$;
create function api.all_films() returns setof api.films stable language sql as $$ select * from api.films $$;
create function api.numbers(n int) returns setof int immutable language sql as $$ select generate_series(1, n) $$;
create function api.pairs() returns table (a int, b text) immutable language sql as $$ values (1, 'x'), (2, 'y'), (1, 'z') $$;
create function api.outs(a int, out b int, out c text) immutable language sql as $$ select a, 'c' $$;
create function api.inout(inout a int) immutable language sql as $$ select a + 1 $$;
create type api.point as (x int, y int);
create function api.origin() returns api.point immutable language sql as $$ select row(0, 0)::api.point $$;
create function api.nothing() returns void stable language sql as $$ select $$;
create function api.document() returns json immutable language sql as $$ select '{"a": [1, 2]}'::json $$;
create function api.list() returns int[] immutable language sql as $$ select '{1,2}'::int[] $$;
create function api.coloured(c api.colour) returns api.colour immutable language sql as $$ select c $$;
create function api.chars(c char, b bit) returns text immutable language sql as $$ select c || b::text $$;
create function api.unnamed(json default '{"d": 1}') returns json immutable language sql as $$ select $1 $$;
create function api."Odd name"("a b" int, "q""q" text default 'x') returns text immutable language sql as $$ select $1 || $2 $$;

-- media types of the database's own
create domain public."text/list" as text;
create domain public."image/dot" as bytea;
create domain public."text/any" as text;
create domain public."*/*" as bytea;
create function api.film_line(s public."text/list", f api.films) returns public."text/list" immutable language sql as
  $$ select (coalesce(s, '') || f.title || ';')::public."text/list" $$;
create aggregate api.film_lines(api.films) (sfunc = api.film_line, stype = public."text/list");
create function api.any_line(s public."text/any", f anyelement) returns public."text/any" immutable language sql as
  $$ select (coalesce(s, '') || to_json(f)::text || ';')::public."text/any" $$;
create aggregate api.any_lines(anyelement) (sfunc = api.any_line, stype = public."text/any");
create function api.dot() returns public."image/dot" immutable language sql as $$ select '\xff'::public."image/dot" $$;
create function api.seat_bytes(s public."*/*", f api.seats) returns public."*/*" immutable language sql as
  $$ select (coalesce(s, '') || '\x2a')::public."*/*" $$;
create aggregate api.seat_bytes(api.seats) (sfunc = api.seat_bytes, stype = public."*/*");
-- stands for PostGIS
create function public.st_asgeojson(f anyelement) returns text immutable language sql as
  $$ select json_build_object('type', 'Feature', 'properties', to_json(f))::text $$;

-- names that are ours, and names that only just are names
create table api.q (
  id int primary key, x int, q int, p int, r int, k int, n int, c int, u int, o1 int, present bool, "row" int,
  slip_source int, slip_call int, pgrst_scalar int, slip_page int, q_x_1 int, x_1 int, pgrst_order_1 int, films int);
insert into api.q (id, x, q, slip_page, q_x_1, k) values (1, 10, 11, null, 13, 3), (2, null, null, 1, null, 4);
create table api.x (id int primary key, q_id int references api.q, x_q_1 int, x int, q_x_1 int);
insert into api.x values (1, 1, 5, 6, 7), (2, 1, null, null, null);
create table api.slip_source (id int primary key, slip_page int references api.q);
insert into api.slip_source values (1, 2);
create table api."we""ird \tab,le.(é)" (id int primary key, "c""ol \u, .(ü)" text, q_id int references api.q);
insert into api."we""ird \tab,le.(é)" values (1, 'v', 1);
create table api.a23456789_123456789_123456789_123456789_123456789_123456789_123 (
  id int primary key, c23456789_123456789_123456789_123456789_123456789_123456789_123 int);
create table api.a23456789_123456789_123456789_123456789_123456789_123456789_124 (
  id int primary key,
  c23456789_123456789_123456789_123456789_123456789_123456789_123 int
    references api.a23456789_123456789_123456789_123456789_123456789_123456789_123);
insert into api.a23456789_123456789_123456789_123456789_123456789_123456789_123 values (1, 2);
insert into api.a23456789_123456789_123456789_123456789_123456789_123456789_124 values (1, 1), (2, 1);
analyze;

-- functions of which it is known what they read
create function api.review_count(api.films) returns bigint stable
  begin atomic select count(*) from api.reviews where film_id = $1.id; end;
create function api.films_since(since int) returns setof api.films stable
  begin atomic select * from api.films where year >= since; end;
create function api.reviews_after(day date) returns bigint stable
  begin atomic select count(*) from api.reviews where day is not null; end;

-- values that move on, and types of our own
create type api.money as (amount int, currency text);
create table api.shifts (id int primary key, begins timetz, hours tstzrange, days date[], pay api.money, mood api.mood);
create function api.shifts_at(begins timetz) returns bigint stable
  begin atomic select count(*) from api.shifts s where s.begins >= shifts_at.begins; end;

-- what an installation of the cache has
create schema slipstream;
create table slipstream.schema_change (xid bigint primary key);
