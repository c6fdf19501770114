-- What the feed of changes needs where the write-ahead log cannot be followed: a trigger on every table, which tells with
-- NOTIFY that a transaction has written to it, and event triggers that report changes of the schema and keep the triggers
-- on new tables. Run it as a superuser, who alone may make event triggers. It may be run again.
--
-- It has a price. Commits of transactions that notify take turns, on the whole server: each holds a lock from just before
-- its commit until the commit is on disk. Such transactions cannot be prepared for a two-phase commit. And they fail while
-- the queue of notifications is full (8 GB by default), which takes a session that listens and stays in one transaction.
begin;

do $$
begin
	if current_setting('max_prepared_transactions')::int > 0 then
		raise exception using errcode = '55000', message = 'max_prepared_transactions is '
			|| current_setting('max_prepared_transactions') || ': PREPARE TRANSACTION would fail after a write to any of the tables; '
			|| 'where nobody uses it, put max_prepared_transactions = 0 into postgresql.conf and restart the server';
	end if;
end $$;

create schema if not exists slipstream;

-- The tables that can be watched, of the schemas that the installation was given: permanent ones, with or without
-- partitions, and partitions. Triggers fire for the table that the statement names.
create or replace function slipstream.cache_eligible() returns table (relation oid, wanted bool)
language sql stable set search_path = pg_catalog, pg_temp as $$
	select c.oid,
		case when SCHEMAS::name[] is null then n.nspname <> 'slipstream' else n.nspname = any (SCHEMAS::name[]) end
	from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where c.relkind in ('r', 'p') and c.relpersistence = 'p' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
$$;

-- Tells that this transaction has written to the table. The server drops what one transaction says twice. Without a
-- transaction id nothing was written at all: the statement found no rows.
create or replace function slipstream.cache_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
	xid xid8 := pg_current_xact_id_if_assigned();
begin
	if xid is not null then
		perform pg_notify('slipstream_cache', 'table ' || tg_relid::text || ' ' || xid::text);
	end if;
	return null;
end $$;
revoke all on function slipstream.cache_changed() from public;

-- Tells of a change of the schema.
create or replace function slipstream.cache_tell(tag text) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
	select pg_notify('slipstream_cache', 'schema ' || pg_current_xact_id()::text);
$$;

-- Tells that materialised views were refreshed, for which no triggers fire.
create or replace function slipstream.cache_refreshed() returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
	perform pg_notify('slipstream_cache', 'table ' || d.objid::text || ' ' || pg_current_xact_id()::text) from pg_event_trigger_ddl_commands() d;
exception when others then
	raise warning 'slipstream: cached answers may be outdated: %', sqlerrm;
end $$;

-- The name is that of the log's installation, where tables that lost their identity must go. There are none here.
create or replace function slipstream.cache_unpublish(unwanted bool) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$ select $$;

-- Puts the trigger on a table that lacks it, or takes it off.
create or replace function slipstream.cache_attach(name regclass, wanted bool) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
	state "char" := (select g.tgenabled from pg_trigger g where g.tgrelid = name and g.tgname = 'slipstream_cache');
begin
	if wanted and state is distinct from 'A' then
		execute format('create or replace trigger slipstream_cache after insert or update or delete or truncate on %s '
			|| 'for each statement execute function slipstream.cache_changed()', name);
		execute format('alter table only %s enable always trigger slipstream_cache', name);
	elsif not wanted and state <> '' then
		execute format('drop trigger slipstream_cache on %s', name);
	end if;
end $$;
revoke all on function slipstream.cache_attach(regclass, bool) from public;

-- Puts the trigger on the tables that this transaction has locked as whoever creates or alters a table does. Event triggers
-- call it for its own commands, too.
create or replace function slipstream.cache_publish(everything bool) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
	name regclass;
begin
	if current_setting('slipstream.publishing', true) = 'on' then
		return;
	end if;
	perform set_config('slipstream.publishing', 'on', true);
	for name in
		select e.relation from slipstream.cache_eligible() e
		where e.wanted and e.relation in (
			select l.relation from pg_locks l
			where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode in ('AccessExclusiveLock', 'ShareRowExclusiveLock')
			and l.database = (select d.oid from pg_database d where d.datname = current_database()))
		and not exists ( -- what somebody has switched off stays so until the installation is repeated
			select from pg_trigger g where g.tgrelid = e.relation and g.tgname = 'slipstream_cache' and g.tgenabled in ('A', 'D'))
	loop
		perform slipstream.cache_attach(name, true);
	end loop;
	perform set_config('slipstream.publishing', 'off', true);
end $$;

SHARED

-- Puts the triggers on the tables, and takes them off those that are not wanted any more. Each waits for the table's
-- writers, and has others wait behind it: one at a time, and never for long.
create or replace procedure slipstream.cache_watch() language plpgsql as $$
declare
	t record;
	busy text;
begin
	for round in 1 .. 10 loop
		busy := null;
		for t in
			select e.relation, e.wanted, c.relname::pg_catalog.text as name
			from slipstream.cache_eligible() e join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) e.relation
		loop
			perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
			perform set_config('lock_timeout', '1s', true), set_config('slipstream.publishing', 'on', true);
			begin
				perform slipstream.cache_attach(t.relation, t.wanted);
			exception
				when lock_not_available or deadlock_detected then busy := t.name;
				when undefined_table then null; -- dropped meanwhile
			end;
			commit;
		end loop;
		exit when busy is null;
	end loop;
	if busy is not null then
		raise exception 'writers keep the table % locked: run "slipstream cache install --mode notify" again', busy;
	end if;
end $$;

drop publication if exists slipstream; -- which the log's installation made

notify pgrst, 'reload schema'; -- servers find out
commit;
