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
		perform slipstream.cache_tell(tg_tag);
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
	slipstream.cache_tell(text), slipstream.cache_refreshed(), slipstream.cache_note_change(), slipstream.cache_schema_changed() from public;

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
