package feed_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// marked reports whether a change of the schema was told before the change of the table mark that follows.
func (f *follower) marked() (changed bool) {
	f.t.Helper()
	pgtest.Exec(f.t, f.dsn, "update mark set n = n + 1")
	f.await("the mark", func(e event) bool {
		changed = changed || e.name == "schema"
		return e.name == "committed"
	})
	return changed
}

const mark = "create table mark (id int primary key, n int); insert into mark values (1, 0)"

func TestSchemaChanges(t *testing.T) {
	role := pgtest.Role(t, "nologin")
	schemaChanges(t, follow(t, database(t, mark)), role)
}

func schemaChanges(t *testing.T, f *follower, role string) {
	t.Helper()
	for _, sql := range []string{
		"create table item (id int primary key, name text)",
		"alter table item add column note text default 'x'",
		"alter table item rename note to remark",
		"alter table item drop column remark",
		"create index on item (name)",
		"create view seen as select * from item",
		"create or replace view seen as select id, name from item",
		"create materialized view kept as select * from item",
		"create function f() returns int language sql as 'select 1'",
		"create or replace function f() returns int language sql as 'select 2'",
		"alter function f() stable",
		"drop function f()",
		"create type mood as enum ('good')",
		"alter type mood add value 'bad'",
		"grant select on item to " + role,
		"revoke select on item from " + role,
		"grant usage on schema public to " + role,
		"grant select (id) on item to " + role,
		"alter default privileges grant select on tables to " + role,
		"drop owned by " + role,
		"alter table item enable row level security",
		"create policy p on item using (id > 0)",
		"alter policy p on item using (id > 1)",
		"drop policy p on item",
		"create trigger tr before update on item for each row execute function suppress_redundant_updates_trigger()",
		"drop trigger tr on item",
		"comment on table item is 'x'",
		"create schema s create table inner_item (id int)",
		"drop schema s cascade",
		"create rule r as on delete to item do instead nothing",
		"create domain d as int check (value > 0)",
		"create cast (mood as int) with inout",
		"alter table item owner to " + role + "; alter table item owner to postgres",
		"set session_replication_role = replica; create table quiet ()",
		"begin; savepoint a; create table sub (); release a; commit",
		"drop view seen; drop materialized view kept; drop table item",
	} {
		pgtest.Exec(t, f.dsn, sql)
		if !f.marked() {
			t.Errorf("not told: %s", sql)
		}
	}
}

// A partition that is detached concurrently is not read any more while the command still waits for those who do.
func TestDetachingPartitions(t *testing.T) {
	detachingPartitions(t, follow(t, database(t, detached)))
}

const detached = mark + `; create table part (id int primary key) partition by list (id);
	create table part1 partition of part for values in (1)`

func detachingPartitions(t *testing.T, f *follower) {
	t.Helper()
	reader := connect(t, f.dsn)
	run(t, reader, "begin", "select from part")
	detached := make(chan error, 1)
	detacher := connect(t, f.dsn)
	go func() {
		_, err := detacher.Exec(t.Context(), "alter table part detach partition part1 concurrently")
		detached <- err
	}()
	await(t, f.dsn, "select inhdetachpending from pg_inherits where inhparent = 'part'::regclass and inhrelid = 'part1'::regclass")
	if !f.marked() {
		t.Error("not told before the command has ended")
	}
	run(t, reader, "commit")
	if err := <-detached; err != nil {
		t.Fatal(err)
	}
	if !f.marked() {
		t.Error("not told after the command has ended")
	}
}

// Temporary objects concern their own session alone, and what was rolled back nobody.
func TestNoSchemaChanges(t *testing.T) { noSchemaChanges(t, follow(t, database(t, mark))) }

func noSchemaChanges(t *testing.T, f *follower) {
	t.Helper()
	for _, sql := range []string{
		"create temp table scratch (id serial primary key, name text default 'x' check (name <> ''))",
		"create temp table scratch (id int); alter table scratch add b int; create index on scratch (b); alter table scratch drop b; drop table scratch",
		"create temp table scratch as select 1 as a",
		"select 1 as a into temp scratch",
		"create temp view looked as select 1; drop view looked",
		"create temp table scratch (id serial primary key); drop table scratch",
		"begin; create temp table scratch (id int) on commit drop; insert into scratch values (1); commit",
		"begin; create table item (); rollback",
		"analyze mark; set work_mem = '1MB'", "discard all",
		"drop table if exists nothing",
	} {
		pgtest.Exec(t, f.dsn, sql)
		if f.marked() {
			t.Errorf("told: %s", sql)
		}
	}
}

// The xid of a change of the schema is that of its transaction, and it comes before the transaction's changes of rows,
// which cannot be told apart.
func TestSchemaChangeInATransaction(t *testing.T) {
	f := follow(t, database(t, "create table item (id int primary key)"))
	conn := connect(t, f.dsn)
	var xid string
	run(t, conn, "begin", "insert into item values (1)", "alter table item add name text", "insert into item values (2, 'a')")
	if err := conn.QueryRow(t.Context(), "select pg_current_xact_id()::text").Scan(&xid); err != nil {
		t.Fatal(err)
	}
	run(t, conn, "commit")
	e := f.await("the change of the schema", func(e event) bool { return e.name == "schema" || e.name == "committed" })
	if got := fmt.Sprint(e.name, e.xid); got != "schema"+xid {
		t.Errorf("%s, want the transaction %s", got, xid)
	}
	f.expect(f.describe(f.committed()), "item many")
	f.published("item")
	f.expect(f.exec("insert into item values (3, 'b')"), "item insert > (3 b)")
	// The last column looks the same as before, but is another one.
	f.expect(f.exec("alter table item drop name, add name text; insert into item values (4, 'c')"), "item many")
	f.published("item")
	f.expect(f.exec("insert into item values (5, 'd')"), "item insert > (5 ? d)")
}

// A table that loses its identity leaves the publication with the command that takes it: with it inside, the
// application's updates would fail.
func TestTablesWithoutIdentityLeave(t *testing.T) {
	for _, sql := range []string{
		"alter table item drop constraint item_pkey",
		"alter table item replica identity nothing",
		"begin; alter table item drop constraint item_pkey; update item set name = 'in between'; commit",
		"begin; alter table item drop constraint item_pkey, add primary key (id) deferrable; commit",
		"alter table item drop column id",
		"create unique index item_name on item (name); alter table item alter name set not null, replica identity using index item_name; drop index item_name",
	} {
		t.Run(sql, func(t *testing.T) {
			f := follow(t, database(t, "create table item (id int primary key, name text); insert into item values (1, 'a'); create table stays (id int primary key)"))
			pgtest.Exec(t, f.dsn, sql)
			f.published("stays")
			pgtest.Exec(t, f.dsn, "update item set name = 'b'", "delete from item")
		})
	}
}

func TestTablesWithIdentityEnter(t *testing.T) {
	f := start(t, database(t, "create table bare (id int, name text)"))
	f.published()
	pgtest.Exec(t, f.dsn, `
		create table item (id int primary key);
		create table late (id int primary key deferrable);
		create unlogged table fleeting (id int primary key);
		create table parent (id int primary key) partition by list (id);
		create table part partition of parent for values in (1);
		create table copied as select 1 as id`)
	f.published("item", "part")
	pgtest.Exec(t, f.dsn, "alter table bare replica identity full")
	tables := f.published("bare", "item", "part")
	for oid, table := range tables {
		name := pgtest.Value(t, f.dsn, "select $1::oid::regclass", oid)
		if got, want := fmt.Sprint(table), map[bool]string{true: "{[] true}", false: "{[1] false}"}[name == "bare"]; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	f.expect(f.exec("insert into bare values (1, 'a')"), "bare insert > (1 a)")
	pgtest.Exec(t, f.dsn, "drop table item")
	f.published("bare", "part")
	pgtest.Exec(t, f.dsn, "alter table copied add primary key (id)")
	f.published("bare", "copied", "part")
}

// Only the tables of the schemas that the installation names are published.
func TestSchemasOfTheInstallation(t *testing.T) {
	f := start(t, database(t, "create schema a; create schema b; create table a.one (id int primary key); create table b.one (id int primary key)"))
	f.published("a.one", "b.one")
	install(t, f.dsn, "a", "it's")
	f.published("a.one")
	pgtest.Exec(t, f.dsn, "create table b.two (id int primary key); create table a.two (id int primary key)")
	f.published("a.one", "a.two")
	pgtest.Exec(t, f.dsn, `create schema "it's"; create table "it's"."Odd ""name" (id int primary key)`)
	f.published(`"it's"."Odd ""name"`, "a.one", "a.two")
}

// What a transaction wrote to a table before it was published is not in the stream: until it ends, the table cannot be
// relied upon.
func TestTablesWaitForTheirWriters(t *testing.T) {
	f := start(t, database(t, "create table item (id int primary key, n int); insert into item values (1, 0)"))
	install(t, f.dsn, "elsewhere")
	f.published()
	writer := connect(t, f.dsn)
	run(t, writer, "begin", "update item set n = 1")
	pgtest.Exec(t, f.dsn, "alter publication slipstream add table item")
	f.published()
	f.beat()
	if n := f.feed.Status().Tables; n != 0 {
		t.Errorf("%d tables while a writer is open", n)
	}
	run(t, writer, "commit")
	f.await("the table", func(e event) bool {
		if e.name == "committed" {
			t.Errorf("not lost: %s", f.describe(e.tx))
		}
		return e.name == "published" && len(e.tables) == 1
	})
	if n := f.feed.Status().Tables; n != 1 {
		t.Errorf("%d tables", n)
	}
	f.expect(f.exec("update item set n = 2"), "item update (1 ?) > (1 2)")
}

// Two columns that swap their names can be told apart by their numbers only.
func TestRenamedColumns(t *testing.T) {
	f := follow(t, database(t, "create table item (id int primary key, a text, b text)"))
	f.expect(f.exec("insert into item values (1, 'x', 'y')"), "item insert > (1 x y)")
	pgtest.Exec(t, f.dsn, "alter table item rename a to c; alter table item rename b to a; alter table item rename c to b")
	f.published("item")
	f.expect(f.exec("update item set a = 'z'"), "item update (1 ? ?) > (1 x z)")
	pgtest.Exec(t, f.dsn, "alter table item drop a; alter table item add a text")
	f.published("item")
	f.expect(f.exec("update item set a = 'w'"), "item update (1 ? ? ?) > (1 x ? w)")
}

// The commands of others do not fail when the publication cannot be kept right.
func TestSchemaChangesNeverFail(t *testing.T) {
	dsn := database(t, "create table item (id int primary key)")
	pgtest.Exec(t, dsn, "drop publication slipstream", "create table late (id int primary key)", "alter table item drop constraint item_pkey",
		"drop function slipstream.cache_publish(bool)", "create table later (id int primary key)", "drop table item")
}

// Transactions that create tables do not wait for one another, though the publication can be changed by one only.
func TestTablesOfConcurrentTransactions(t *testing.T) {
	f := start(t, database(t))
	f.published()
	first, second := connect(t, f.dsn), connect(t, f.dsn)
	run(t, first, "begin", "create table a (id int primary key)")
	run(t, second, "begin", "set local lock_timeout = '7s'", "create table b (id int primary key)")
	var patience string
	if err := second.QueryRow(t.Context(), "show lock_timeout").Scan(&patience); err != nil || patience != "7s" {
		t.Errorf("lock_timeout is %s, %v", patience, err)
	}
	run(t, second, "commit")
	run(t, first, "commit")
	install(t, f.dsn)
	f.published("a", "b")
}

func TestSwitchedOffTriggersBreakTheFeed(t *testing.T) {
	f := follow(t, database(t), everyTickPolls)
	pgtest.Exec(t, f.dsn, "alter event trigger slipstream_cache_drop disable")
	if e := f.state(feed.Broken); !strings.Contains(e.reason, "slipstream cache install") {
		t.Error(e.reason)
	}
	install(t, f.dsn)
	f.state(feed.Live)
}

// TestRefreshedViews: the log has nothing of a materialised view's rows.
func TestRefreshedViews(t *testing.T) {
	f := follow(t, database(t, refreshed))
	refreshedViews(t, f)
	// Everybody may write into the log.
	pgtest.Exec(t, f.dsn, "select pg_logical_emit_message(true, 'ss.refresh', ''), pg_logical_emit_message(true, 'ss.refresh', '99999999999'), pg_logical_emit_message(true, 'ss.refresh', '-1')")
	f.expect(f.exec("refresh materialized view late"), "late many")
}

const refreshed = mark + "; create materialized view kept as select n, count(*) from mark group by n; create unique index on kept (n)"

func refreshedViews(t *testing.T, f *follower) {
	t.Helper()
	for _, sql := range []string{
		"refresh materialized view kept",
		"refresh materialized view concurrently kept",
		"refresh materialized view kept with no data",
		"begin; savepoint a; refresh materialized view kept; release a; commit",
		"set session_replication_role = replica; refresh materialized view kept",
		"begin; refresh materialized view kept; savepoint a; refresh materialized view kept; rollback to a; commit",
	} {
		f.expect(f.exec(sql), "kept many")
	}
	pgtest.Exec(t, f.dsn, "begin; refresh materialized view kept; rollback")
	if f.marked() {
		t.Error("a refresh is told as a change of the schema")
	}
	pgtest.Exec(t, f.dsn, "create materialized view late as select 1 as one")
	f.published("kept", "late", "mark")
	f.expect(f.exec("refresh materialized view late"), "late many")
	pgtest.Exec(t, f.dsn, "drop materialized view kept")
	f.published("late", "mark")
}
