package feed_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// everyTickPolls has a clock on which hours pass between any two looks at it.
func everyTickPolls(o *feed.Options) {
	var hours atomic.Int64
	o.Clock = func() time.Duration { return time.Duration(hours.Add(1)) * time.Hour }
}

func TestRoleChanges(t *testing.T) {
	one, two := pgtest.Role(t, "nologin"), pgtest.Role(t, "nologin")
	f := follow(t, database(t), everyTickPolls)
	for _, sql := range []string{
		"alter role " + one + " bypassrls",
		"grant " + one + " to " + two,
		"grant " + one + " to " + two + " with admin option",
		"revoke " + one + " from " + two,
		"alter role " + one + " set statement_timeout = '7s'",
		"alter role " + one + " in database postgres set work_mem = '7MB'",
		"alter role " + one + " reset all",
		"create role " + one + "_b; drop role " + one,
		"drop role " + one + "_b",
	} {
		pgtest.Exec(t, f.dsn, sql)
		f.await(sql, func(e event) bool { return e.name == "roles" })
	}
}

// Heartbeats come back in the order in which they were sent, after all that was committed before.
func TestBeats(t *testing.T) {
	f := follow(t, database(t, "create table item (id int primary key)"))
	last := f.beat()
	for range 20 {
		pgtest.Exec(t, f.dsn, "delete from item; insert into item values (1)")
		sent := f.clock()
		var tx *feed.Transaction
		b := f.await("a heartbeat", func(e event) bool {
			if e.name == "committed" {
				tx = e.tx
			}
			return e.name == "beat" && e.beat.Sent >= sent
		}).beat
		if tx == nil || !b.Snapshot.Saw(tx.Xid) {
			t.Fatalf("%+v came before what was acknowledged before it was sent: %+v", b, tx)
		}
		if b.Ticket <= last.Ticket || b.Sent <= last.Sent || b.Snapshot.Xmin < last.Snapshot.Xmin {
			t.Errorf("%+v after %+v", b, last)
		}
		last = b
	}
}

// While nobody depends on them, no heartbeats are written into the log; changes arrive all the same.
func TestQuietWhenInactive(t *testing.T) {
	var inactive atomic.Bool
	asked := make(chan bool, 100_000)
	f := follow(t, database(t, "create table item (id int primary key)"), func(o *feed.Options) {
		o.Active = func() bool {
			asked <- !inactive.Load()
			return !inactive.Load()
		}
	})
	inactive.Store(true)
	for <-asked { // the last yes
	}
	sent := f.sent.Load()
	for range 20 {
		if <-asked {
			t.Fatal("active")
		}
	}
	if got := f.sent.Load(); got != sent {
		t.Errorf("%d heartbeats to nobody", got-sent)
	}
	f.expect(f.exec("insert into item values (1)"), "item insert > (1)")
	// A change of the schema is settled at once, for who comes next.
	pgtest.Exec(t, f.dsn, "create table new (id int primary key)")
	f.published("item", "new")
	inactive.Store(false)
	f.beat()
}

// Two feeds of one database have slots and heartbeats of their own.
func TestTwoFeeds(t *testing.T) {
	one := follow(t, database(t, "create table item (id int primary key)"))
	two := follow(t, one.dsn, func(o *feed.Options) { o.Active = func() bool { return false } })
	one.beat()
	pgtest.Exec(t, one.dsn, "insert into item values (1)")
	one.committed()
	two.await("the transaction", func(e event) bool {
		if e.name == "beat" && e.beat.Ticket > two.sent.Load() {
			t.Error("another feed's heartbeat")
		}
		return e.name == "committed"
	})
	if a, b := one.feed.Status().Slot, two.feed.Status().Slot; a == b || a == "" || b == "" {
		t.Errorf("slots %q and %q", a, b)
	}
}

// Everybody may write messages into the log. They are no heartbeats of ours, and what was rolled back or was not part of
// a transaction is no change of the schema.
func TestForgedMessages(t *testing.T) {
	f := follow(t, database(t, "create table item (id int primary key)"))
	beat, slot := f.beat(), f.feed.Status().Slot
	for _, content := range []string{"", "x", slot, slot + " x x", fmt.Sprintf("%s %d 10:10:", slot, beat.Ticket+1)} {
		pgtest.Value(t, f.dsn, "select pg_logical_emit_message(true, 'ss.hb', $1)", content)
		pgtest.Value(t, f.dsn, "select pg_logical_emit_message(false, 'ss.hb', $1)", content)
	}
	pgtest.Value(t, f.dsn, "select pg_logical_emit_message(false, 'ss.ddl', 'x')")
	pgtest.Value(t, f.dsn, "select pg_logical_emit_message(true, 'other', 'x')")
	pgtest.Exec(t, f.dsn, "begin; select pg_logical_emit_message(true, 'ss.ddl', 'x'); rollback; insert into item values (1)")
	f.await("the transaction", func(e event) bool {
		if e.name == "state" || e.name == "schema" || e.name == "beat" && e.beat.Snapshot.Xmin <= 10 {
			t.Errorf("%+v", e)
		}
		return e.name == "committed"
	})
}

// Where nothing happens to published tables, the position moves on all the same: it must not hold the log back.
func TestAppliedMovesOn(t *testing.T) {
	f := follow(t, database(t), func(o *feed.Options) { o.Active = func() bool { return false } })
	pgtest.Exec(t, f.dsn, "create table bare (id int)")
	f.published()
	pgtest.Exec(t, f.dsn, "insert into bare select generate_series(1, 1000)")
	end, err := strconv.ParseUint(pgtest.Value(t, f.dsn, "select pg_current_wal_lsn() - '0/0'::pg_lsn"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	f.await("the position", func(e event) bool { return e.name == "applied" && e.lsn >= end })
	if got := f.feed.Status().Applied; got < end {
		t.Errorf("the status has position %d after %d", got, end)
	}
	await(t, f.dsn, "select confirmed_flush_lsn - '0/0' >= $2::numeric from pg_replication_slots where slot_name = $1", f.feed.Status().Slot, end)
}
