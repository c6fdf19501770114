package feed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// TestChanges has what each statement changes, for the kinds of identities and of columns.
func TestChanges(t *testing.T) {
	f := follow(t, database(t, `
		create table by_key (id int primary key, name text, note text);
		create table by_pair (a int, name text, b text, primary key (b, a) include (name));
		create table in_full (name text, note text);
		alter table in_full replica identity full;
		create table by_index (name text, code int not null, unique (code));
		alter table by_index replica identity using index by_index_code_key;
		create table dropped (gone int, id int primary key, gone_too int, name text);
		alter table dropped drop gone, drop gone_too, add late int;
		create table computed (id int primary key, twice int generated always as (id * 2) stored, name text);
		create table parent (id int primary key, name text) partition by range (id);
		create table low partition of parent for values from (0) to (10);
		create table high partition of parent for values from (10) to (20);
		create table other (id int primary key references by_key)`))
	for _, c := range []struct{ sql, want string }{
		{`insert into by_key values (1, 'a', null), (2, '', 'x')`, "by_key insert > (1 a -), by_key insert > (2  x)"},
		{`update by_key set name = 'b' where id = 1`, "by_key update (1 ? ?) > (1 b -)"},
		{`update by_key set id = 3 where id = 1`, "by_key update (1 ? ?) > (3 b -)"},
		{`delete from by_key where id = 3`, "by_key delete (3 ? ?)"},
		{`insert into by_pair values (1, 'n', 'x')`, "by_pair insert > (1 n x)"},
		{`update by_pair set name = 'm'`, "by_pair update (1 ? x) > (1 m x)"},
		{`update by_pair set b = 'y'`, "by_pair update (1 ? x) > (1 m y)"},
		{`delete from by_pair`, "by_pair delete (1 ? y)"},
		{`insert into in_full values ('a', null)`, "in_full insert > (a -)"},
		{`update in_full set note = 'n'`, "in_full update (a -) > (a n)"},
		{`delete from in_full`, "in_full delete (a n)"},
		{`insert into by_index values ('a', 7)`, "by_index insert > (a 7)"},
		{`update by_index set name = 'b'`, "by_index update (? 7) > (b 7)"},
		{`delete from by_index`, "by_index delete (? 7)"},
		{`insert into dropped values (1, 'a', 5)`, "dropped insert > (? 1 ? a 5)"},
		{`update dropped set late = 6`, "dropped update (? 1 ? ? ?) > (? 1 ? a 6)"},
		{`delete from dropped`, "dropped delete (? 1 ? ? ?)"},
		{`insert into computed (id, name) values (4, 'a')`, "computed insert > (4 ? a)"},
		{`update computed set name = 'b'`, "computed update (4 ? ?) > (4 ? b)"},
		{`insert into parent values (5, 'a'), (15, 'b')`, "low insert > (5 a), high insert > (15 b)"},
		{`update parent set id = 16 where id = 5`, "low delete (5 ?), high insert > (16 a)"},
		{`truncate parent`, "high truncate, low truncate"},
		{`insert into low values (1, 'a')`, "low insert > (1 a)"},
		{`truncate low`, "low truncate"},
		{`truncate by_key cascade`, "by_key truncate, other truncate"},
	} {
		got := f.exec(c.sql)
		if c.sql == `truncate parent` { // in the order of the partitions' OIDs
			slices.Sort(got)
		}
		if joined := strings.Join(got, ", "); joined != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.sql, joined, c.want)
		}
	}
}

// What lies in TOAST and is left alone is not in the log; with the whole old row, it is known all the same.
func TestUnchangedToast(t *testing.T) {
	f := follow(t, database(t, `
		create table part (id int primary key, n int, big text);
		create table whole (id int primary key, n int, big text);
		alter table whole replica identity full;
		alter table part alter big set storage external;
		alter table whole alter big set storage external`))
	f.expect(f.exec(`insert into part values (1, 1, repeat('x', 10000))`), "part insert > (1 1 10000 bytes)")
	f.expect(f.exec(`update part set n = 2`), "part update (1 ? ?) > (1 2 ?)")
	f.expect(f.exec(`insert into whole values (1, 1, repeat('x', 10000))`), "whole insert > (1 1 10000 bytes)")
	f.expect(f.exec(`update whole set n = 2`), "whole update (1 1 10000 bytes) > (1 2 10000 bytes)")
}

// The text of values does not depend on what the database or the DSN want.
func TestTextOfValues(t *testing.T) {
	dsn := database(t, `
		create table item (id int primary key, at timestamptz, day date, span interval, f float8, b bytea);
		do $$ declare d text := quote_ident(current_database()); begin
			execute 'alter database ' || d || ' set datestyle = german';
			execute 'alter database ' || d || ' set timezone = ''Asia/Tokyo''';
			execute 'alter database ' || d || ' set intervalstyle = iso_8601';
			execute 'alter database ' || d || ' set extra_float_digits = -5';
			execute 'alter database ' || d || ' set bytea_output = escape';
		end $$`)
	f := follow(t, dsn+"&DateStyle=SQL")
	tx := f.exec(`insert into item values (1, '2026-11-21 10:00:00+00', '2026-11-21', '1 day 2 hours', 0.1::float8 + 0.2, '\x00ff')`)
	f.expect(tx, `item insert > (1 22 bytes 2026-11-21 1 day 02:00:00 0.30000000000000004 \x00ff)`)
}

// The id of a transaction is the one that snapshots know, also where subtransactions did the work; and transactions come
// in the order of their commits.
func TestOrderAndIDs(t *testing.T) {
	f := follow(t, database(t, `create table item (id int primary key, xid xid8 default pg_current_xact_id())`))
	first, second := connect(t, f.dsn), connect(t, f.dsn)
	run(t, first, "begin", "insert into item values (1)", "savepoint a", "insert into item values (2)", "savepoint b", "insert into item values (3)")
	run(t, second, "begin", "savepoint a", "insert into item values (4)", "release a")
	run(t, first, "rollback to b", "insert into item values (5)")
	run(t, second, "commit")
	run(t, first, "commit")
	last := uint64(0)
	for _, ids := range [][]string{{"4"}, {"1", "2", "5"}} {
		tx := f.committed()
		if tx.EndLSN <= last {
			t.Errorf("LSN %d after %d", tx.EndLSN, last)
		}
		last = tx.EndLSN
		var got []string
		for _, c := range tx.Changes {
			got = append(got, string(c.New[0].Text))
			if xid := string(c.New[1].Text); xid != fmt.Sprint(tx.Xid) {
				t.Errorf("xid %d, the row's is %s", tx.Xid, xid)
			}
		}
		f.expect(got, ids...)
	}
}

func TestRolledBackTransactionsAreNotSeen(t *testing.T) {
	f := follow(t, database(t, `create table item (id int primary key)`))
	pgtest.Exec(t, f.dsn, "begin; insert into item values (1); rollback")
	f.expect(f.exec("insert into item values (2)"), "item insert > (2)")
}

// Of a large transaction, no more is kept than that it was one.
func TestLargeTransactionsCollapse(t *testing.T) {
	f := follow(t, database(t, `
		create table many (id int primary key);
		create table few (id int primary key);
		create table big (id int primary key, data text)`))
	f.expect(f.exec(`insert into few values (1); insert into many select generate_series(1, 50000); insert into few values (2)`),
		"few insert > (1)", "many many", "few insert > (2)")
	pgtest.Exec(t, f.dsn, `insert into few select generate_series(1001, 2000)`)
	if got := f.committed().Changes; len(got) != 1000 || got[999].Kind != feed.Insert {
		t.Errorf("a thousand changes are %d", len(got))
	}
	f.expect(f.exec(`insert into few select generate_series(2001, 3001); truncate few`), "few many")
	got := f.exec(`insert into few values (5000); insert into big select i, repeat('x', 1000000) from generate_series(1, 20) i; insert into many values (0)`)
	slices.Sort(got)
	f.expect(got, "big many", "few many", "many many")
	f.expect(f.exec(`insert into few values (6000)`), "few insert > (6000)")
}

// connect opens a connection for transactions that stay open.
func connect(t *testing.T, dsn string) *pg.Conn {
	t.Helper()
	conn, err := pg.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}

func run(t *testing.T, conn *pg.Conn, sql ...string) {
	t.Helper()
	for _, s := range sql {
		if _, err := conn.Exec(t.Context(), s, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%v in:\n%s", err, s)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	if got := fmt.Sprint(feed.Insert, feed.Many, feed.Live, feed.Stopped); got != "insert many live stopped" {
		t.Error(got)
	}
}
