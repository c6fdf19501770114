-- Four groups of routes. Each has a quick one, which takes 20 ms of a connection, and a slow one, which takes 120 ms. With four of
-- the first to one of the second, a connection does 25 a second, whatever the processor is: sleeping takes none of it.
drop schema if exists overload cascade;
create schema overload;
create view overload.checkout as select 1 as id, pg_sleep(0.02)::text as slept;
create view overload.checkout_history as select 1 as id, pg_sleep(0.12)::text as slept;
create view overload.catalogue as select 1 as id, pg_sleep(0.02)::text as slept;
create view overload.catalogue_facets as select 1 as id, pg_sleep(0.12)::text as slept;
create view overload.reviews as select 1 as id, pg_sleep(0.02)::text as slept;
create view overload.reviews_summary as select 1 as id, pg_sleep(0.12)::text as slept;
create view overload.export as select 1 as id, pg_sleep(0.02)::text as slept;
create view overload.export_totals as select 1 as id, pg_sleep(0.12)::text as slept;
