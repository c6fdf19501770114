package feed_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// What a transaction wrote before somebody listened is told with its commit.
func liveWithoutWaiting(t *testing.T) {
	dsn := emptyDatabase(t, "create table item (id int primary key)")
	installNotify(t, dsn)
	writer := connect(t, dsn)
	run(t, writer, "begin", "insert into item values (1)")
	f := follow(t, dsn, byNotify)
	f.beat()
	run(t, writer, "commit")
	if got := f.heard(); got != "item" {
		t.Errorf("told %q", got)
	}
}

// The promise, as in TestThePromise.
func notifiedPromise(t *testing.T) {
	f := listen(t, "create table item (id int primary key, n int)")
	acknowledged := f.writeAtOnce(2)
	end := f.clock()
	delivered, beats := map[uint32]bool{}, 0
	f.await("the last heartbeat", func(e event) bool {
		switch e.name {
		case "committed":
			delivered[e.tx.Xid] = true
		case "beat":
			beats++
			for xid, at := range acknowledged {
				if (at < e.beat.Sent || e.beat.Snapshot.Saw(xid)) && !delivered[xid] {
					t.Fatalf("transaction %d is not delivered by the heartbeat %+v", xid, e.beat)
				}
			}
		}
		return e.name == "beat" && e.beat.Sent >= end
	})
	if len(delivered) < 100 || beats < 2 {
		t.Errorf("only %d transactions and %d heartbeats", len(delivered), beats)
	}
}

// Who asks learns that his commit was delivered without waiting for the next heartbeat that is due.
func promptedPositions(t *testing.T) {
	f := listen(t, "create table item (id int primary key)", func(o *feed.Options) { o.Heartbeat = time.Hour })
	for i := range 20 {
		pgtest.Exec(t, f.dsn, fmt.Sprintf("insert into item values (%d)", i))
		var position uint64
		if _, err := fmt.Sscan(pgtest.Value(t, f.dsn, "select pg_current_wal_insert_lsn() - '0/0'"), &position); err != nil {
			t.Fatal(err)
		}
		f.feed.Prompt()
		delivered := false
		f.await("the position", func(e event) bool {
			delivered = delivered || e.name == "committed"
			return e.name == "applied" && e.lsn >= position
		})
		if !delivered {
			t.Error("the position was told before the transaction")
		}
	}
}

func notifyHeals(t *testing.T) {
	f := listen(t, "create table item (id int primary key)")
	for i := range 2 {
		pgtest.Exec(t, f.dsn, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = 'listen slipstream_cache'")
		if e := f.state(feed.Broken); !strings.Contains(e.reason, "terminating connection due to administrator command") {
			t.Error(e.reason)
		}
		f.published("item")
		f.state(feed.Live)
		if got := f.told(fmt.Sprintf("insert into item values (%d)", i)); got != "item" {
			t.Errorf("told %q", got)
		}
	}
	healsWhenConnectionsAreKilled(t, f)
	pgtest.Exec(t, f.dsn, "alter event trigger slipstream_cache_drop disable")
	if e := f.state(feed.Broken); !strings.Contains(e.reason, "slipstream cache install --mode notify") {
		t.Error(e.reason)
	}
	installNotify(t, f.dsn)
	f.state(feed.Live)
	if err := feed.Uninstall(t.Context(), f.dsn); err != nil {
		t.Fatal(err)
	}
	f.await("the end of what is told", func(e event) bool { return e.name == "schema" })
	f.state(feed.Broken)
}

// A pooler that gives each transaction a session of its own keeps notifications from who listens. The clock is so fast that
// it is found out soon.
func deafListeners(t *testing.T) {
	dsn := emptyDatabase(t, "create table item (id int primary key)")
	installNotify(t, dsn)
	begun := time.Now()
	f := start(t, dsn, byNotify, func(o *feed.Options) {
		o.DSN = withoutNotifications(t, dsn)
		o.Clock = func() time.Duration { return 100 * time.Since(begun) }
	})
	f.await("the reason", func(e event) bool {
		if e.state == feed.Live {
			t.Error("live without notifications")
		}
		return e.state == feed.Broken && strings.Contains(e.reason, "past the pooler")
	})
}

// withoutNotifications leads to the server as some poolers do: notifications get lost on the way.
func withoutNotifications(t *testing.T, dsn string) string {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				t.Error(err)
				return
			}
			serving.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
			serving.Go(func() { passOn(client, server); _ = client.Close() })
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", config.User, l.Addr(), config.Database)
}

// passOn passes on what the server says, but for notifications.
func passOn(client, server net.Conn) {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		if head[0] == 'A' { // NotificationResponse
			continue
		}
		if _, err := client.Write(slices.Concat(head, body)); err != nil {
			return
		}
	}
}

// madeForNotify is all that the installation makes.
const madeForNotify = `
select concat_ws(' ',
	(select count(*) from pg_namespace where nspname = 'slipstream'),
	(select count(*) from pg_event_trigger where evtname like 'slipstream%'),
	(select count(*) from pg_publication where pubname = 'slipstream'),
	(select count(*) from pg_trigger where tgname = 'slipstream_cache' and tgenabled = 'A'),
	(select count(*) from pg_proc where pronamespace = to_regnamespace('slipstream')))`

func installationForNotify(t *testing.T) {
	dsn := emptyDatabase(t, "create table item (id int); create schema a; create table a.item () inherits (item); create unlogged table u ()")
	found, err := feed.Preflight(t.Context(), dsn, feed.Notify)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Error(), `"slipstream cache install --mode notify"`) {
		t.Error(found, err)
	}
	for _, c := range []struct {
		schemas []string
		want    string
	}{{nil, "1 3 0 2 10"}, {nil, "1 3 0 2 10"}, {[]string{"a"}, "1 3 0 1 10"}, {[]string{"a", "it's"}, "1 3 0 1 10"}, {nil, "1 3 0 2 10"}} {
		installNotify(t, dsn, c.schemas...)
		if got := pgtest.Value(t, dsn, madeForNotify); got != c.want {
			t.Errorf("%s: %s, want %s", c.schemas, got, c.want)
		}
	}
	if found, err := feed.Preflight(t.Context(), dsn, feed.Notify); err != nil || len(found) > 0 {
		t.Error(found, err)
	}
	tables, err := feed.Published(t.Context(), dsn, feed.Notify)
	if err != nil || len(tables) != 2 {
		t.Error(tables, err)
	}
	for range 2 {
		if err := feed.Uninstall(t.Context(), dsn); err != nil {
			t.Fatal(err)
		}
	}
	if got := pgtest.Value(t, dsn, madeForNotify); got != "0 0 0 0 0" {
		t.Errorf("left: %s", got)
	}
}

// The role that the server connects as needs no right at all, and others may not call what runs as a superuser. Their writes
// need none either.
func notifyLeastPrivilege(t *testing.T) {
	role := pgtest.Role(t, "nologin")
	dsn := emptyDatabase(t, "create table item (id int primary key); grant insert on item to "+role+"; create schema theirs authorization "+role)
	pgtest.Exec(t, dsn, "revoke execute on function pg_notify(text, text) from public; alter role "+role+" login")
	installNotify(t, dsn)
	for _, call := range []string{
		"select slipstream.cache_publish(true)", "select slipstream.cache_attach('item', false)", "select slipstream.cache_tell('x')",
		"create trigger t after insert on theirs.own execute function slipstream.cache_changed()",
	} {
		if call[:6] == "create" {
			pgtest.Exec(t, as(t, dsn, role), "create table theirs.own (id int)")
		}
		if err := pg.ExecScript(t.Context(), as(t, dsn, role), call); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", call, err)
		}
	}
	pgtest.Exec(t, as(t, dsn, role), `
		create function theirs.pg_notify(text, text) returns void language plpgsql as $$ begin raise 'mine'; end $$;
		set search_path = theirs, pg_catalog, public; insert into item values (1)`)
	pgtest.Exec(t, dsn, "grant execute on function pg_notify(text, text) to public")
	f := follow(t, dsn, byNotify, func(o *feed.Options) { o.DSN = as(t, dsn, role) })
	pgtest.Exec(t, as(t, dsn, role), "insert into item values (2)")
	if got := f.heard(); got != "item" {
		t.Errorf("told %q", got)
	}
	got := pgtest.Value(t, dsn, `select count(*) from pg_proc where pronamespace = 'slipstream'::regnamespace and prokind = 'f'
		and (proconfig is distinct from '{"search_path=pg_catalog, pg_temp"}' or has_function_privilege('public', oid, 'execute'))`)
	if got != "0" {
		t.Errorf("%s functions have no search path of their own, or everybody may call them", got)
	}
}

// The installation waits for a table's writers, but has those who come wait for a moment only, and none of other tables.
func installAmongWriters(t *testing.T) {
	dsn := emptyDatabase(t, "create table item (id int primary key); create table free (id int primary key)")
	writer, other := connect(t, dsn), connect(t, dsn)
	run(t, writer, "begin", "insert into item values (1)")
	installed := make(chan error, 1)
	go func() { installed <- feed.InstallNotify(t.Context(), dsn, nil) }()
	waits := "select count(*) > 0 from pg_stat_activity where query like 'call slipstream.cache_watch%' and wait_event_type = 'Lock'"
	await(t, dsn, waits)
	run(t, other, "insert into item values (2)", "insert into free values (1)")
	await(t, dsn, waits)
	run(t, writer, "insert into free values (2)", "commit")
	if err := <-installed; err != nil {
		t.Fatal(err)
	}
	if got := pgtest.Value(t, dsn, madeForNotify); !strings.HasPrefix(got, "1 3 0 2") {
		t.Error(got)
	}
}

// The best mode that the database is prepared for is taken, and each installation undoes the other.
func TestModes(t *testing.T) {
	dsn := pgtest.Own(t, map[string]string{"max_prepared_transactions": "0"}).DSN("postgres")
	pgtest.Exec(t, dsn, "create table item (id int primary key)")
	f := start(t, dsn, func(o *feed.Options) { o.Modes = feed.Modes("auto") })
	if e := f.state(feed.Broken); !strings.Contains(e.reason, "slipstream cache install") {
		t.Error(e.reason)
	}
	live := func(mode feed.Mode) {
		f.published("item")
		f.state(feed.Live)
		if got := f.feed.Status().Mode; got != mode {
			t.Errorf("%s, want %s", got, mode)
		}
	}
	installNotify(t, dsn)
	live(feed.Notify)
	install(t, dsn)
	f.state(feed.Broken)
	live(feed.WAL)
	f.expect(f.exec("insert into item values (1)"), "item insert > (1)")
	installNotify(t, dsn)
	pgtest.Exec(t, dsn, "insert into item values (2)") // what the slot has is decoded by a publication that is gone
	f.state(feed.Broken)
	live(feed.Notify)
	if got := f.told("insert into item values (3)"); got != "item" {
		t.Errorf("told %q", got)
	}
	if problems, err := feed.Preflight(t.Context(), dsn, feed.WAL); err != nil || len(problems) != 1 {
		t.Error(problems, err)
	}
}

// Transactions that notify cannot be prepared.
func TestInstallNotifyRefusesPreparedTransactions(t *testing.T) {
	pgtest.Server(t) // has max_prepared_transactions
	dsn := pgtest.Database(t)
	if err := feed.InstallNotify(t.Context(), dsn, nil); err == nil || !strings.Contains(err.Error(), "max_prepared_transactions") {
		t.Error(err)
	}
	if got := pgtest.Value(t, dsn, madeForNotify); got != "0 0 0 0 0" {
		t.Errorf("left: %s", got)
	}
}
