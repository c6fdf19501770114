-- Removes what the feed of changes needs, and takes the right REPLICATION from the roles that got it with it.
begin;

-- Who hears of changes by NOTIFY hears that this is over.
select pg_catalog.pg_notify('slipstream_cache', 'schema ' || pg_catalog.pg_current_xact_id()::text);

drop event trigger if exists slipstream_cache_ddl;
drop event trigger if exists slipstream_cache_drop;
drop event trigger if exists slipstream_cache_detach;
drop publication if exists slipstream;
drop function if exists slipstream.cache_schema_changed();
drop function if exists slipstream.cache_refreshed();
drop function if exists slipstream.cache_note_change();
drop table if exists slipstream.schema_change;
drop function if exists slipstream.cache_publish(bool);
drop function if exists slipstream.cache_unpublish(bool);
drop function if exists slipstream.cache_eligible();
drop function if exists slipstream.cache_tell(text);
drop procedure if exists slipstream.cache_watch();
drop function if exists slipstream.cache_attach(regclass, bool);
drop function if exists slipstream.cache_changed() cascade; -- with the triggers

do $$
declare
	r name;
begin
	if to_regclass('slipstream.cache_role') is null then
		return;
	end if;
	for r in select c.name from slipstream.cache_role c join pg_roles p on p.rolname = c.name loop
		execute format('alter role %I noreplication', r);
	end loop;
	drop table slipstream.cache_role;
end $$;

-- The schema goes when nothing else is in it.
do $$
begin
	drop schema if exists slipstream;
exception when dependent_objects_still_exist then
	null;
end $$;

notify pgrst, 'reload schema'; -- servers find out
commit;
