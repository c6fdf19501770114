-- What the feed of changes needs, from which caches learn what is outdated: a publication of all tables that have a
-- replica identity, and event triggers that report changes of the schema and keep the publication right. Run it as a
-- superuser, who alone may make event triggers. It may be run again.
begin;

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

-- The transactions that changed the schema. Who fills a cache looks whether there is one that it did not know of: until
-- the report has come through the log, policies may be other ones than those that the answer's key was made for.
create table if not exists slipstream.schema_change (xid bigint primary key);
revoke all on slipstream.schema_change from public;
grant select on slipstream.schema_change to public;
grant usage on schema slipstream to public;

-- Notes this transaction, and forgets those that everybody has seen; what others forget at the same time is left to them.
create or replace function slipstream.cache_note_change() returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
	delete from slipstream.schema_change where xid in (
		select c.xid from slipstream.schema_change c
		where c.xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint for update skip locked);
	insert into slipstream.schema_change values (pg_current_xact_id()::text::bigint) on conflict do nothing;
$$;

-- Reports that materialised views were refreshed, as the log itself tells nothing of their rows.
create or replace function slipstream.cache_refreshed() returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
	perform pg_logical_emit_message(true, 'ss.refresh', d.objid::text) from pg_event_trigger_ddl_commands() d;
exception when others then
	raise warning 'slipstream: cached answers may be outdated: %', sqlerrm;
end $$;

-- Reports a change of the schema, and never fails: it runs inside of everybody's commands. Objects of the session's own
-- are nobody else's business. What a dropped object takes with it, such as its columns' defaults, is dropped with a
-- report of its own or not worth one. Of other commands than DROP that touch no object, it is safer to tell. A partition
-- that is detached concurrently is gone for queries long before the command ends: that is told at its start, too.
create or replace function slipstream.cache_schema_changed() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
	report bool;
	patience text := current_setting('lock_timeout');
begin
	if tg_event = 'ddl_command_end' and tg_tag = 'REFRESH MATERIALIZED VIEW' then
		perform slipstream.cache_refreshed();
		return;
	end if;
	begin
		if tg_event = 'ddl_command_start' then
			report := tg_tag = 'ALTER TABLE' and current_query() ~* 'concurrently';
		elsif tg_event = 'sql_drop' then
			select count(*) > 0 into report from pg_event_trigger_dropped_objects() d
			where (d.original or d.normal) and not d.is_temporary
			and d.address_names[1] is distinct from 'pg_temp'; -- the rule of a view
		else
			select count(*) filter (where d.schema_name is distinct from 'pg_temp') > 0
				or count(*) = 0 and (tg_tag not like 'DROP %' or tg_tag = 'DROP OWNED') into report
			from pg_event_trigger_ddl_commands() d;
		end if;
	exception when others then
		report := true;
	end;
	if not report then
		return;
	end if;
	begin
		perform pg_logical_emit_message(true, 'ss.ddl', tg_tag);
		perform slipstream.cache_note_change();
	exception when others then
		raise warning 'slipstream: cached answers may be outdated: %', sqlerrm;
	end;
	if tg_tag = 'ALTER PUBLICATION' or tg_event = 'ddl_command_start' then -- the one is what follows, the other comes again
		return;
	end if;
	-- With a table that has lost its identity inside, the application's updates would fail: this waits as long as it takes.
	begin
		perform slipstream.cache_unpublish(false);
	exception when others then
		raise warning 'slipstream: updates of tables without a key may fail: %', sqlerrm;
	end;
	-- This does not: transactions that create tables would wait for one another to end, or deadlock. What is not
	-- published is not cached, and nothing worse.
	begin
		perform set_config('lock_timeout', '100ms', true);
		perform slipstream.cache_publish(false);
		perform set_config('lock_timeout', patience, true);
	exception when others then
		raise warning 'slipstream: a table is not cached until "slipstream cache install" runs again: %', sqlerrm;
	end;
end $$;

revoke all on function slipstream.cache_eligible(), slipstream.cache_unpublish(bool), slipstream.cache_publish(bool),
	slipstream.cache_note_change(), slipstream.cache_refreshed(), slipstream.cache_schema_changed() from public;

-- Triggers first: from here on, tables come and go as they should.
drop event trigger if exists slipstream_cache_ddl;
drop event trigger if exists slipstream_cache_drop;
drop event trigger if exists slipstream_cache_detach;
create event trigger slipstream_cache_ddl on ddl_command_end execute function slipstream.cache_schema_changed();
create event trigger slipstream_cache_drop on sql_drop execute function slipstream.cache_schema_changed();
create event trigger slipstream_cache_detach on ddl_command_start execute function slipstream.cache_schema_changed();
alter event trigger slipstream_cache_ddl enable always;
alter event trigger slipstream_cache_drop enable always;
alter event trigger slipstream_cache_detach enable always;

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

notify pgrst, 'reload schema'; -- servers find out
commit;
