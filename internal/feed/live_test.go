package feed_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// A slot that is made while transactions write would miss what they wrote before: it waits for them, and says so.
func TestStartWaitsForWriters(t *testing.T) {
	dsn := database(t, "create table item (id int primary key)")
	writer := connect(t, dsn)
	run(t, writer, "begin", "insert into item values (1)")
	f := start(t, dsn)
	want := fmt.Sprintf("waiting for 1 write transactions that are open, the oldest by process %d", writer.PgConn().PID())
	f.await(want, func(e event) bool { return e.state == feed.Starting && e.reason == want })
	run(t, writer, "commit")
	f.await("live", func(e event) bool {
		if e.name == "committed" {
			t.Error("what was written before the start is in the stream")
		}
		return e.state == feed.Live
	})
	f.expect(f.exec("insert into item values (2)"), "item insert > (2)")
}

// unacknowledged is a transaction whose commit is in the log, and waits for a standby that is not there.
func unacknowledged(t *testing.T, dsn, sql string) (released chan error) {
	t.Helper()
	conn := connect(t, dsn)
	run(t, conn, "set synchronous_commit = on")
	released = make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), sql)
		released <- err
	}()
	await(t, dsn, "select wait_event is not distinct from 'SyncRep' from pg_stat_activity where pid = $1", int32(conn.PgConn().PID()))
	return released
}

// standbyless is a server that waits, for commits that ask for it, for a standby that it has not.
func standbyless(t *testing.T) string { return standbylessFor(t, install) }

func standbylessFor(t *testing.T, install func(t *testing.T, dsn string, schemas ...string)) string {
	t.Helper()
	dsn := cluster(t, directory(t), nil).DSN("postgres")
	pgtest.Exec(t, dsn, "create table item (id int primary key)")
	install(t, dsn)
	pgtest.Exec(t, dsn, "alter system set synchronous_commit = local", "alter system set synchronous_standby_names = 'nobody'", "select pg_reload_conf()")
	await(t, dsn, "select current_setting('synchronous_commit') = 'local' and current_setting('synchronous_standby_names') = 'nobody'")
	return dsn
}

func release(t *testing.T, dsn string) {
	t.Helper()
	pgtest.Exec(t, dsn, "alter system set synchronous_standby_names = ''", "select pg_reload_conf()")
}

// A commit can come before the stream in the log, and become visible after the stream has begun: who reads in between
// would never be told. So the feed is not live before it is visible.
func TestLiveWaitsForCommitsBeforeTheStream(t *testing.T) {
	dsn := standbyless(t)
	holdsSlot := func(pid uint32) {
		await(t, dsn, `select count(*) > 0 from pg_locks w join pg_locks h using (transactionid)
			where not w.granted and h.granted and h.pid = $1`, int32(pid))
	}
	first, second := connect(t, dsn), connect(t, dsn)
	run(t, first, "begin", "insert into item values (1)")
	f := start(t, dsn)
	holdsSlot(first.PgConn().PID())
	run(t, second, "begin", "insert into item values (2)")
	run(t, first, "commit")
	holdsSlot(second.PgConn().PID())
	released := unacknowledged(t, dsn, "insert into item values (3)")
	run(t, second, "commit")
	f.await("started", func(e event) bool {
		if e.name == "committed" {
			t.Errorf("not before the stream: %s", f.describe(e.tx))
		}
		return strings.Contains(e.reason, "began before the stream")
	})
	if got := pgtest.Value(t, dsn, "select count(*) from item"); got != "2" {
		t.Fatalf("%s rows are visible", got)
	}
	pgtest.Exec(t, dsn, "insert into item values (4)")
	f.await("the transaction after it", func(e event) bool {
		if e.state == feed.Live {
			t.Error("live while a commit before the stream is invisible")
		}
		return e.name == "committed"
	})
	release(t, dsn)
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	f.state(feed.Live)
}

// A primary whose standbys have left it may have a successor: what comes back through its own log proves nothing until
// the standbys have it.
func TestHeartbeatsWaitForSynchronousStandbys(t *testing.T) {
	heartbeatsWait(t, follow(t, standbyless(t)))
}

// The same, where the heartbeat is not in the log. Nor do those who notify wait with it.
func TestNotifiedHeartbeatsWaitForSynchronousStandbys(t *testing.T) {
	heartbeatsWait(t, follow(t, standbylessFor(t, installNotify), byNotify))
}

func heartbeatsWait(t *testing.T, f *follower) {
	t.Helper()
	dsn := f.dsn
	f.beat() // waits for nobody, as no commit does by default
	sender := "select pid from pg_stat_activity where application_name = 'slipstream feed' and wait_event = 'SyncRep'"
	pgtest.Exec(t, dsn, "alter system set synchronous_commit = on", "select pg_reload_conf()")
	// stalled is the ticket of a heartbeat that waits for the standby, while what follows it in the log is delivered.
	stalled := func() uint64 {
		await(t, dsn, "select exists ("+sender+")")
		ticket := f.sent.Load()
		pgtest.Exec(t, dsn, "set synchronous_commit = local; delete from item; insert into item values (1)")
		f.await("the transaction after the heartbeat", func(e event) bool {
			if e.name == "beat" && e.beat.Ticket == ticket {
				t.Error("a heartbeat counts that no standby has")
			}
			return e.name == "committed"
		})
		return ticket
	}
	canceled := stalled()
	pgtest.Exec(t, dsn, "select pg_cancel_backend(pid) from ("+sender+") s")
	f.await("the next heartbeat", func(e event) bool {
		if e.name == "beat" && e.beat.Ticket == canceled {
			t.Error("a heartbeat counts whose wait for the standby was canceled")
		}
		return e.name == "sending" && e.beat.Ticket > canceled
	})
	last := stalled()
	release(t, dsn)
	f.await("the heartbeat", func(e event) bool { return e.name == "beat" && e.beat.Ticket == last })
}

// A change of the schema can come through the stream before queries see it. Until they do, nothing is known of tables.
func TestTablesWaitForInvisibleSchemaChanges(t *testing.T) {
	dsn := standbyless(t)
	f := follow(t, dsn)
	released := unacknowledged(t, dsn, "create table new (id int primary key)")
	xid := f.await("the change of the schema", func(e event) bool { return e.name == "schema" }).xid
	for range 3 {
		b := f.await("a heartbeat", func(e event) bool {
			if e.name == "published" {
				t.Error("tables published from a catalog that does not show the last change")
			}
			return e.name == "beat"
		}).beat
		if b.Snapshot.Saw(xid) {
			t.Errorf("%v saw %d", b.Snapshot, xid)
		}
	}
	release(t, dsn)
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	f.published("item", "new")
	if b := f.beat(); !b.Snapshot.Saw(xid) {
		t.Errorf("%v did not see %d", b.Snapshot, xid)
	}
}
