-- Removes what the header Idempotency-Key needs, with all stored answers.
begin;

drop function if exists slipstream.idempotency_begin(bytea, bytea);
drop function if exists slipstream.idempotency_store(bytea, bytea, int, jsonb, bytea);
drop function if exists slipstream.idempotency_answer(bytea, bytea);
drop table if exists slipstream.idempotency;

-- The schema goes when nothing else is in it.
do $$
begin
	drop schema if exists slipstream;
exception when dependent_objects_still_exist then
	null;
end $$;

notify pgrst, 'reload schema'; -- servers find out
commit;
