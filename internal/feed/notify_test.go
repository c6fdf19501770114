package feed_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// TestNotify runs on a server whose log cannot be followed.
func TestNotify(t *testing.T) {
	pgtest.Own(t, map[string]string{"wal_level": "replica", "max_prepared_transactions": "0"})
	for name, test := range map[string]func(*testing.T){
		"writes are told": writesAreTold, "writes are told once": writesAreToldOnce, "forged": forgedNotifications,
		"not watched": tablesThatAreNotWatched, "partitions come and go": partitionsComeAndGo,
		"subscriptions": subscribedTablesAreNotTold, "no waiting": liveWithoutWaiting, "promise": notifiedPromise, "positions": promptedPositions,
		"killed": notifyHeals, "deaf": deafListeners, "installation": installationForNotify, "least privilege": notifyLeastPrivilege,
		"busy tables": installAmongWriters,
		"schema":      func(t *testing.T) { schemaChanges(t, listen(t, mark), pgtest.Role(t, "nologin")) },
		"refreshed":   func(t *testing.T) { refreshedViews(t, listen(t, refreshed)) },
		"no schema":   func(t *testing.T) { noSchemaChanges(t, listen(t, mark)) },
		"detaching":   func(t *testing.T) { detachingPartitions(t, listen(t, detached)) },
	} {
		t.Run(name, test)
	}
}

// listen starts a feed on a new database, and waits until it is live.
func listen(t *testing.T, sql string, change ...func(*feed.Options)) *follower {
	t.Helper()
	dsn := emptyDatabase(t, sql)
	installNotify(t, dsn)
	return follow(t, dsn, append([]func(*feed.Options){byNotify}, change...)...)
}

// emptyDatabase is a new one, but for sql.
func emptyDatabase(t *testing.T, sql string) string {
	t.Helper()
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, sql)
	return dsn
}

func byNotify(o *feed.Options) { o.Modes = []feed.Mode{feed.Notify} }

func installNotify(t *testing.T, dsn string, schemas ...string) {
	t.Helper()
	if err := feed.InstallNotify(t.Context(), dsn, schemas); err != nil {
		t.Fatal(err)
	}
}

// told runs scripts and returns the tables that are told to be written to, in the order of their names.
func (f *follower) told(sql ...string) string {
	f.t.Helper()
	pgtest.Exec(f.t, f.dsn, sql...)
	return f.heard()
}

// heard are the tables that are told by the next heartbeat.
func (f *follower) heard() string {
	f.t.Helper()
	now := f.clock()
	var names []string
	f.await("a heartbeat", func(e event) bool {
		if e.name == "committed" {
			for _, change := range f.describe(e.tx) {
				name, kind, _ := strings.Cut(change, " ")
				if names = append(names, name); kind != "many" || e.tx.EndLSN != math.MaxUint64 {
					f.t.Errorf("%s at %d", change, e.tx.EndLSN)
				}
			}
		}
		return e.name == "beat" && e.beat.Sent >= now
	})
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

const written = `
	create table item (id int primary key, n int, name text);
	insert into item select i, i, 'item ' || i from generate_series(1, 9) i;
	create table child (id int primary key, item int references item on delete cascade on update set null);
	insert into child values (1, 1), (2, 2), (3, 3);
	create table shared (item int references item on delete cascade) partition by range (item);
	create table shared1 partition of shared for values from (0) to (10);
	insert into shared values (7);
	create table bare (n int);
	create table part (id int, n int, primary key (id)) partition by list (id);
	create table part1 partition of part for values in (1);
	create table part2 partition of part for values in (2, 3) partition by list (id);
	create table part22 partition of part2 for values in (2);
	create table part23 partition of part2 for values in (3);
	insert into part values (1, 1), (2, 2);
	create table above (n int);
	create table below () inherits (above);
	create table beside () inherits (below, bare);
	create view seen as select id, n from item where n > 3;
	create table log (n int);
	create function logged() returns trigger language plpgsql as 'begin insert into log values (1); return null; end';
	create table audited (n int);
	create trigger log after insert on audited for each row execute function logged();
	create table checked (n int);
	create constraint trigger log after insert on checked deferrable initially deferred for each row execute function logged();
	create function go(n int) returns void language sql as 'update item set n = go.n where id = 4';
	create table ruled (n int); create rule r as on insert to ruled do instead insert into log values (new.n)`

func writesAreTold(t *testing.T) {
	f := listen(t, written)
	for _, tc := range []struct{ sql, told string }{
		{"insert into item values (10, 10)", "item"},
		{"update item set n = 11 where id = 10", "item"},
		{"delete from item where id = 10", "child item shared shared1"}, // the cascade asks, and finds nothing
		{"insert into item values (1, 5) on conflict (id) do update set n = excluded.n", "item"},
		{"insert into item values (1, 5) on conflict do nothing", ""}, // no row was touched
		{"update item set n = 1 where false", ""},
		{"begin; insert into bare values (1); update item set n = 1 where false; commit", "bare beside item"},
		{"delete from item where id = 2", "child item shared shared1"},
		{"delete from item where id = 7", "child item shared shared1"},
		{"update item set id = 33 where id = 3", "child item"},
		{"copy item (id) from program 'echo 20'", "item"},
		{"with gone as (delete from item where id = 5 returning n) insert into bare select n from gone", "bare beside child item shared shared1"},
		{"truncate child", "child"},
		{"truncate item cascade", "child item shared shared1"},
		{"insert into bare values (1)", "bare beside"},
		{"select go(3); insert into item values (4, 4); select go(5)", "item"},
		{"insert into seen values (40, 40)", "item"},
		{"update seen set n = 41", "item"},
		{"insert into audited values (1)", "audited log"},
		{"insert into checked values (1)", "checked log"},
		{"insert into ruled values (1)", "log"},
		{"do $$ begin insert into item values (50); begin insert into bare values (1); raise 'no'; exception when others then end; end $$", "item"},
		{"begin; insert into item values (51); savepoint a; insert into bare values (1); rollback to a; commit", "item"},
		{"begin; insert into item values (52); rollback", ""},
		{"begin; savepoint a; insert into item values (53); release a; commit", "item"},
		{"set session_replication_role = replica; insert into item values (54)", "item"},
		{"begin; set transaction isolation level serializable; insert into item values (55); commit", "item"},
		{"create temp table item (id int); insert into item values (1)", ""},
		{"create temp table scratch () inherits (public.above); insert into scratch values (1)", ""},

		{"insert into part1 values (1, 1) on conflict (id) do update set n = 2", "part1"},
		{"insert into part values (3, 3)", "part part1 part2 part22 part23"},
		{"update part set id = 1 where id = 3 and not exists (select from part where id = 1)", "part part1 part2 part22 part23"},
		{"delete from part where id = 3", "part part1 part2 part22 part23"},
		{"update part2 set id = 3 where id = 2", "part2 part22 part23"}, // moves
		{"truncate part23", "part23"},
		{"truncate part", "part part1 part2 part22 part23"},
		{"insert into above values (1)", "above below beside"},
		{"update only above set n = 2", "above below beside"},
		{"insert into below values (1)", "below beside"},
		{"insert into beside values (1)", "beside"},
	} {
		if got := f.told(tc.sql); got != tc.told && !(got == "" && strings.HasPrefix(tc.sql, "update part set id = 1")) {
			t.Errorf("%s: told %q, want %q", tc.sql, got, tc.told)
		}
	}
	if version(t, f.dsn) >= 150000 {
		const merge = "merge into item i using (values (60), (61)) v (id) on i.id = v.id when matched then delete when not matched then insert values (v.id)"
		if got := f.told(merge); got != "item" {
			t.Errorf("merge: told %q", got)
		}
	}
}

func version(t *testing.T, dsn string) (number int) {
	t.Helper()
	if _, err := fmt.Sscan(pgtest.Value(t, dsn, "select current_setting('server_version_num')"), &number); err != nil {
		t.Fatal(err)
	}
	return number
}

// A write is told once, with its transaction, which is visible by then, and with a position that no standby has reached.
func writesAreToldOnce(t *testing.T) {
	f := listen(t, "create table item (id int primary key)")
	conn := connect(t, f.dsn)
	var xid uint64
	run(t, conn, "begin", "insert into item values (1)", "savepoint a", "insert into item values (2)", "release a", "delete from item")
	if err := conn.QueryRow(t.Context(), "select pg_current_xact_id()::text::int8").Scan(&xid); err != nil {
		t.Fatal(err)
	}
	f.beat()
	run(t, conn, "commit")
	if tx := f.committed(); uint64(tx.Xid) != xid || tx.EndLSN != math.MaxUint64 {
		t.Errorf("%d at %x, want %d", tx.Xid, tx.EndLSN, xid)
	}
	if got := f.heard(); got != "" {
		t.Errorf("told again: %s", got)
	}
}

// Whoever may connect can send notifications. They can have answers dropped, but keep none.
func forgedNotifications(t *testing.T) {
	f := listen(t, "create table item (id int primary key)")
	var sent []string
	for _, payload := range []string{"", "table", "table x 1", "table 1", "table 99999999999 1", "schema", "schema -1", "heartbeat", "heartbeat x", "other 1"} {
		sent = append(sent, fmt.Sprintf("select pg_notify('slipstream_cache', '%s'), pg_notify('other', 'schema 1')", payload))
	}
	if got := f.told(sent...); got != "" {
		t.Errorf("told %s", got)
	}
	f.await("a heartbeat", func(e event) bool {
		if e.name == "schema" || e.name == "state" {
			t.Errorf("%+v", e)
		}
		return e.name == "beat"
	})
	// An id that nobody has yet must not keep tables from being known again.
	pgtest.Exec(t, f.dsn, "select pg_notify('slipstream_cache', 'schema 3000000000')")
	f.published("item")
}

func tablesThatAreNotWatched(t *testing.T) {
	f := listen(t, `create table item (id int primary key); create table stays (id int primary key);
		create table part (id int primary key) partition by list (id); create table part1 partition of part for values in (1)`)
	for _, tc := range []struct {
		sql  string
		want []string
	}{
		{"alter table item disable trigger all", []string{"part", "part1", "stays"}},
		{"alter table item enable trigger all", []string{"item", "part", "part1", "stays"}},
		{"drop trigger slipstream_cache on item", []string{"item", "part", "part1", "stays"}}, // it comes back
		{"alter table item add n int", []string{"item", "part", "part1", "stays"}},
		{"alter table only part disable trigger slipstream_cache", []string{"item", "stays"}}, // what is written by its name is not told
		{"alter table only part enable always trigger slipstream_cache", []string{"item", "part", "part1", "stays"}},
		{"create or replace trigger slipstream_cache after insert on item execute function slipstream.cache_changed()",
			[]string{"item", "part", "part1", "stays"}}, // it is put right
		{"create or replace trigger slipstream_cache after insert on item execute function slipstream.cache_changed();" +
			"alter table item disable trigger slipstream_cache; create trigger mine after insert or update or delete or truncate on item " +
			"for each statement when (false) execute function slipstream.cache_changed(); alter table item enable always trigger mine",
			[]string{"part", "part1", "stays"}},
		{"drop table item", []string{"part", "part1", "stays"}},
		{"create unlogged table fleeting (id int primary key); create table new ()", []string{"new", "part", "part1", "stays"}},
	} {
		pgtest.Exec(t, f.dsn, tc.sql)
		f.published(tc.want...)
	}
}

// Tables of partitions come and go with what is above them.
func partitionsComeAndGo(t *testing.T) {
	f := listen(t, `create table part (id int primary key) partition by list (id); create table part1 partition of part for values in (1);
		create table other (id int primary key)`)
	pgtest.Exec(t, f.dsn, "alter table part attach partition other for values in (2)")
	f.published("other", "part", "part1")
	if got := f.told("insert into part values (1)"); got != "other part part1" {
		t.Errorf("told %q", got)
	}
	pgtest.Exec(t, f.dsn, "alter table part detach partition other")
	f.published("other", "part", "part1")
	if got := f.told("insert into part values (1) on conflict (id) do update set id = 1"); got != "part part1" {
		t.Errorf("told %q", got)
	}
}

// Subscriptions write without statements.
func subscribedTablesAreNotTold(t *testing.T) {
	source := pgtest.Server(t).DSN("postgres") // has wal_level = logical
	pgtest.Exec(t, source, "create table item (id int primary key); create publication p for table item")
	t.Cleanup(func() { pgtest.Exec(t, source, "drop publication p; drop table item") })
	f := listen(t, "create table item (id int primary key); create table stays (id int primary key)")
	config, err := pgx.ParseConfig(source)
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, f.dsn, fmt.Sprintf("create subscription s connection 'host=%s port=%d user=%s dbname=%s' publication p",
		config.Host, config.Port, config.User, config.Database))
	f.published("stays")
	pgtest.Exec(t, source, "insert into item values (1)")
	await(t, f.dsn, "select count(*) = 1 from item")
	pgtest.Exec(t, f.dsn, "drop subscription s")
	f.published("item", "stays")
}
