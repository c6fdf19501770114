-- What the header Idempotency-Key needs: answers, kept for 24 hours, and three functions on them that the server's
-- login role alone may call. Run it as a superuser or as the owner of the database. It may be run again.
begin;

create schema if not exists slipstream;

create table if not exists slipstream.idempotency (
	scope       bytea primary key,        -- hash of role, claims, method, path and key
	fingerprint bytea not null,           -- hash of what was asked for
	status      int not null,             -- 0 before the end of its own transaction
	headers     jsonb not null,
	body        bytea,                    -- null: too large to be kept
	created_at  timestamptz not null default now()
);

create index if not exists idempotency_created_at on slipstream.idempotency (created_at);

-- Called first in a transaction, before a role is taken on. It returns when the request is new, and holds its scope
-- until the end of the transaction. Else it fails: SI409 another one is under way, SI422 the key is another request's,
-- SI200 there is an answer. The lock comes first, so that the look into the table sees what its last holder committed.
-- Where the isolation level hides that, a placeholder fails on it with 40001, before the caller's statement can fail on
-- what the first one has written.
create or replace function slipstream.idempotency_begin(scope bytea, fingerprint bytea) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
	kept bytea;
begin
	if not pg_try_advisory_xact_lock(('x' || encode(substr($1, 1, 8), 'hex'))::bit(64)::bigint) then
		raise exception using errcode = 'SI409', message = 'idempotency key in flight';
	end if;
	select i.fingerprint into kept from slipstream.idempotency i
	where i.scope = $1 and i.created_at > now() - interval '24 hours';
	if not found then
		if current_setting('transaction_isolation') <> 'read committed' then
			perform slipstream.idempotency_store($1, $2, 0, '{}', null);
		end if;
		return;
	end if;
	if kept <> $2 then
		raise exception using errcode = 'SI422', message = 'idempotency key of another request';
	end if;
	raise exception using errcode = 'SI200', message = 'idempotency key with an answer';
end $$;

-- Called last in a transaction that idempotency_begin began. It clears a few expired answers away as it goes, but not
-- at the isolation levels where others who do so would make it fail.
create or replace function slipstream.idempotency_store(scope bytea, fingerprint bytea, status int, headers jsonb, body bytea)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into slipstream.idempotency as i (scope, fingerprint, status, headers, body) values ($1, $2, $3, $4, $5)
	on conflict on constraint idempotency_pkey do update
		set fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers, body = excluded.body,
			created_at = excluded.created_at
		where i.created_at <= now() - interval '24 hours' or i.status = 0;
	if not found then
		raise exception using errcode = '40001', message = 'idempotency key stored by another transaction';
	end if;
	if current_setting('transaction_isolation') = 'read committed' then
		delete from slipstream.idempotency i where i.ctid = any (array(
			select e.ctid from slipstream.idempotency e where e.created_at <= now() - interval '24 hours'
			order by e.created_at limit 10 for update skip locked));
	end if;
end $$;

-- The answer to a request that idempotency_begin refused with SI200.
create or replace function slipstream.idempotency_answer(scope bytea, fingerprint bytea)
returns table (status int, headers jsonb, body bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
	select i.status, i.headers, i.body from slipstream.idempotency i
	where i.scope = $1 and i.fingerprint = $2 and i.created_at > now() - interval '24 hours'
$$;

-- Answers are for the callers that they were made for, whatever default privileges say: nobody but the login role.
do $$
declare
	f   record;
	who text;
begin
	for who in
		select distinct coalesce(quote_ident(r.rolname), 'public')
		from pg_catalog.pg_class c cross join lateral aclexplode(c.relacl) a left join pg_catalog.pg_roles r on r.oid = a.grantee
		where c.oid = 'slipstream.idempotency'::regclass and a.grantee <> c.relowner
	loop
		execute 'revoke all on slipstream.idempotency from ' || who;
	end loop;
	for f in
		select distinct p.oid::regprocedure as signature, coalesce(quote_ident(r.rolname), 'public') as who
		from pg_catalog.pg_proc p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
			left join pg_catalog.pg_roles r on r.oid = a.grantee
		where p.pronamespace = 'slipstream'::regnamespace and p.proname like 'idempotency\_%' and a.grantee <> p.proowner
	loop
		execute format('revoke all on function %s from %s', f.signature, f.who);
	end loop;
	execute format('grant usage on schema slipstream to %I', LOGIN_ROLE);
	for f in
		select p.oid::regprocedure as signature from pg_catalog.pg_proc p
		where p.pronamespace = 'slipstream'::regnamespace and p.proname like 'idempotency\_%'
	loop
		execute format('grant execute on function %s to %I', f.signature, LOGIN_ROLE);
	end loop;
end $$;

notify pgrst, 'reload schema'; -- servers find out
commit;
