-- What the feed of changes needs, from which caches learn what is outdated: a publication of all tables that have a
-- replica identity, and event triggers that report changes of the schema and keep the publication right. Run it as a
-- superuser, who alone may make event triggers. It may be run again.
begin;

-- Who hears of changes by NOTIFY so far hears that this is over.
select pg_catalog.pg_notify('slipstream_cache', 'schema ' || pg_catalog.pg_current_xact_id()::text);

do $$
begin
	if current_setting('wal_level') <> 'logical' then
		raise exception using errcode = '55000', message = format(
			'wal_level is %s: put wal_level = logical into postgresql.conf and restart the server', current_setting('wal_level'));
	elsif current_setting('max_replication_slots')::int = 0 or current_setting('max_wal_senders')::int = 0 then
		raise exception using errcode = '55000',
			message = 'put max_replication_slots = 10 and max_wal_senders = 10 into postgresql.conf and restart the server';
	end if;
end $$;

create schema if not exists slipstream;

-- The tables that can be published, of the schemas that the installation was given: permanent ones, and partitions,
-- that have a replica identity. Of others, the application's updates would fail once they are published.
create or replace function slipstream.cache_eligible() returns table (relation oid, wanted bool)
language sql stable set search_path = pg_catalog, pg_temp as $$
	select c.oid,
		case when SCHEMAS::name[] is null then n.nspname <> 'slipstream' else n.nspname = any (SCHEMAS::name[]) end
	from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
	and (c.relreplident = 'f' or exists (
		select from pg_index i where i.indrelid = c.oid and i.indimmediate and i.indisvalid
		and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end
		and not exists (
			select from pg_attribute a
			where a.attrelid = c.oid and a.attgenerated <> '' and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]))))
$$;

-- Takes tables out of the publication that have lost their identity, and those that are not wanted any more.
create or replace function slipstream.cache_unpublish(unwanted bool) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
	list text;
begin
	select string_agg('only ' || r.prrelid::regclass, ', ') into list
	from pg_publication p join pg_publication_rel r on r.prpubid = p.oid
	where p.pubname = 'slipstream'
	and r.prrelid not in (select e.relation from slipstream.cache_eligible() e where e.wanted or not unwanted);
	if list <> '' then
		execute 'alter publication slipstream drop table ' || list;
	end if;
end $$;

-- Adds tables to the publication: all of them, or only those that this transaction has locked as whoever creates or
-- alters a table does.
create or replace function slipstream.cache_publish(everything bool) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
	list text;
begin
	select string_agg('only ' || e.relation::regclass, ', ') into list
	from slipstream.cache_eligible() e
	where e.wanted and (everything or e.relation in (
		select l.relation from pg_locks l
		where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
		and l.database = (select d.oid from pg_database d where d.datname = current_database())))
	and not exists (
		select from pg_publication p join pg_publication_rel r on r.prpubid = p.oid
		where p.pubname = 'slipstream' and r.prrelid = e.relation);
	if list <> '' then
		execute 'alter publication slipstream add table ' || list;
	end if;
end $$;

-- Tells those who follow the log of a change of the schema.
create or replace function slipstream.cache_tell(tag text) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
	select pg_logical_emit_message(true, 'ss.ddl', tag);
$$;

-- Reports that materialised views were refreshed, as the log itself tells nothing of their rows.
create or replace function slipstream.cache_refreshed() returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
	perform pg_logical_emit_message(true, 'ss.refresh', d.objid::text) from pg_event_trigger_ddl_commands() d;
exception when others then
	raise warning 'slipstream: cached answers may be outdated: %', sqlerrm;
end $$;

SHARED

-- The roles that got the right REPLICATION from here, so that they can be rid of it.
create table if not exists slipstream.cache_role (name name primary key);
revoke all on slipstream.cache_role from public;

do $$
begin
	if not exists (select from pg_publication where pubname = 'slipstream') then
		create publication slipstream;
	elsif exists (select from pg_publication where pubname = 'slipstream' and puballtables) then
		raise exception 'the publication slipstream is FOR ALL TABLES, which makes updates of tables without a key fail: drop it';
	end if;
	alter publication slipstream set (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
	perform slipstream.cache_unpublish(true);
	perform slipstream.cache_publish(true);
	if exists (select from pg_roles where rolname = LOGIN_ROLE and (rolreplication or rolsuper)) then
		return;
	end if;
	execute format('alter role %I replication', LOGIN_ROLE);
	insert into slipstream.cache_role values (LOGIN_ROLE) on conflict do nothing;
end $$;

-- What the installation for NOTIFY made.
drop procedure if exists slipstream.cache_watch();
drop function if exists slipstream.cache_attach(regclass, bool);
drop function if exists slipstream.cache_changed() cascade; -- with the triggers

notify pgrst, 'reload schema'; -- servers find out
commit;
