package promises_test

// shopSchema has all that makes it hard to know whom a change concerns: embeds in both directions, a junction, keys of
// several columns and of several types, policies that read claims and other tables, a view, partitions, TOAST, a table
// that logs its old rows.
const shopSchema = `
create table registers (id int primary key, v bigint not null default 0);
insert into registers select generate_series(1, 16);

create table parents (id int primary key, name text, rank int, at timestamptz, day date, active bool, ref uuid, big text);
alter table parents alter big set storage external;
create table children (id bigint primary key, parent_id int references parents on update cascade on delete cascade,
	kind text, amount int, at timestamp);
create table pairs (a int, b text, v int, day date, primary key (a, b));
create table links (parent_id int references parents on update cascade on delete cascade, pair_a int, pair_b text,
	primary key (parent_id, pair_a, pair_b),
	foreign key (pair_a, pair_b) references pairs on update cascade on delete cascade);
create table events (id int, day date, what text, primary key (id, day)) partition by range (day);
create table events_old partition of events for values from (minvalue) to ('2020-01-04');
create table events_new partition of events for values from ('2020-01-04') to (maxvalue);
create table logged (id int primary key, grp int, v int, note text);
alter table logged replica identity full;
create view families as select c.id, c.kind, c.amount, p.name, p.rank from children c join parents p on p.id = c.parent_id;
create view slowly as select c.*, (select count(*) from generate_series(1, 20000) g where g > c.id) as n from children c where c.id < 6;

create table teams (team int, who text, primary key (team, who));
create table notes (id uuid primary key, owner text, team int, n int, open bool);
create function public.me() returns text language sql stable
	begin atomic select current_setting('request.jwt.claims', true)::json ->> 'sub'; end;
create function public.fits(n int) returns bool language sql stable begin atomic select n >= 0; end;
alter table notes enable row level security;
create policy mine on notes using (owner = public.me());
create table desk (id int primary key, owner text, n int);
alter table desk enable row level security;
create policy mine on desk using (owner = current_setting('request.jwt.claims', true)::json ->> 'sub' and public.fits(n));

insert into parents select g, 'p' || g % 7, g % 5, '2020-01-01T00:00:00Z'::timestamptz + g * interval '1 h', '2020-01-01'::date + g % 6,
	g % 2 = 0, ('00000000-0000-0000-0000-0000000000' || lpad(g::text, 2, '0'))::uuid, repeat('x', 3000) || g from generate_series(1, 20) g;
insert into children select g, 1 + g % 20, 'k' || g % 4, g % 10, '2020-01-01'::timestamp + g * interval '1 min' from generate_series(1, 60) g;
insert into pairs select g % 5, 'b' || g, g % 7, '2020-01-01'::date + g % 4 from generate_series(1, 20) g;
insert into links select 1 + g % 20, a, b from pairs, generate_series(1, 2) g on conflict do nothing;
insert into events select g, '2020-01-01'::date + g % 6, 'w' || g % 3 from generate_series(1, 30) g;
insert into logged select g, g % 4, g % 9, 'n' || g % 5 from generate_series(1, 30) g;
insert into teams select g % 3, 'u' || g % 4 from generate_series(1, 6) g on conflict do nothing;
insert into notes select ('00000000-0000-0000-0000-0000000000' || lpad(g::text, 2, '0'))::uuid, 'u' || g % 4, g % 3, g, g % 2 = 0
	from generate_series(1, 40) g;
insert into desk select g, 'u' || g % 4, g % 8 from generate_series(1, 40) g;
create materialized view kinds as select coalesce(kind, '') as kind, count(*) as n from children group by 1;
create unique index on kinds (kind);
create view popular as select * from kinds where n > 10;`
