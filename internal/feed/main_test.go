package feed_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// event is one call of a handler, as text or as what it got.
type event struct {
	name string
	tx   *feed.Transaction
	beat feed.Beat
	xid  uint32
	lsn  uint64
	// state and reason, or the published tables
	state  feed.State
	reason string
	tables map[uint32]feed.Table
}

// follower is a feed that runs until the end of the test, and what it told.
type follower struct {
	t      *testing.T
	dsn    string
	feed   *feed.Feed
	clock  func() time.Duration
	events chan event
	stop   func()
	// sent is the last heartbeat's ticket.
	sent atomic.Uint64
	// pause keeps handlers from returning while it is held.
	pause sync.Mutex
}

// database is a new one, prepared for a feed.
func database(t *testing.T, sql ...string) string {
	t.Helper()
	pgtest.Server(t) // wal_level must be logical
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, sql...)
	install(t, dsn)
	return dsn
}

func install(t *testing.T, dsn string, schemas ...string) {
	t.Helper()
	if err := feed.Install(t.Context(), dsn, "postgres", schemas); err != nil {
		t.Fatal(err)
	}
}

// follow starts a feed and waits until it is live.
func follow(t *testing.T, dsn string, change ...func(*feed.Options)) *follower {
	t.Helper()
	f := start(t, dsn, change...)
	f.state(feed.Live)
	return f
}

func start(t *testing.T, dsn string, change ...func(*feed.Options)) *follower {
	t.Helper()
	f := &follower{t: t, dsn: dsn, events: make(chan event, 100_000)}
	begun := time.Now()
	o := feed.Options{
		DSN: dsn, Heartbeat: 5 * time.Millisecond, Clock: func() time.Duration { return time.Since(begun) },
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&o)
	}
	f.clock = o.Clock
	tell := func(e event) {
		f.pause.Lock()
		defer f.pause.Unlock()
		f.events <- e
	}
	f.feed = feed.New(o, feed.Handlers{
		Committed:     func(tx *feed.Transaction) { tell(event{name: "committed", tx: tx}) },
		SchemaChanged: func(xid uint32) { tell(event{name: "schema", xid: xid}) },
		Published:     func(tables map[uint32]feed.Table) { tell(event{name: "published", tables: tables}) },
		RolesChanged:  func() { tell(event{name: "roles"}) },
		Sending: func() uint64 {
			ticket := f.sent.Add(1)
			tell(event{name: "sending", beat: feed.Beat{Ticket: ticket}})
			return ticket
		},
		Beat:    func(b feed.Beat) { tell(event{name: "beat", beat: b}) },
		Applied: func(lsn uint64) { tell(event{name: "applied", lsn: lsn}) },
		State: func(s feed.State, reason string) {
			tell(event{name: "state", state: s, reason: reason})
		},
	})
	f.run()
	return f
}

func (f *follower) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- f.feed.Run(ctx) }()
	f.stop = func() {
		slot := f.feed.Status().Slot
		cancel()
		if err := <-ended; err != nil {
			f.t.Error(err)
		}
		f.stop = func() {}
		// A database with a slot cannot be dropped.
		await(f.t, f.dsn, "select count(*) = 0 from pg_replication_slots where slot_name = $1", slot)
	}
	f.t.Cleanup(func() { f.stop() })
}

// await waits until a query is true.
func await(t testing.TB, dsn, sql string, args ...any) {
	t.Helper()
	for pgtest.Value(t, dsn, sql, args...) != "t" {
		time.Sleep(time.Millisecond)
	}
}

// await returns the first event that fits, and drops those before it.
func (f *follower) await(what string, fits func(event) bool) event {
	f.t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case e := <-f.events:
			if fits(e) {
				return e
			}
		case <-deadline:
			f.t.Fatalf("no event: %s; status %+v", what, f.feed.Status())
		}
	}
}

// committed is the next transaction with changes.
func (f *follower) committed() *feed.Transaction {
	f.t.Helper()
	return f.await("a transaction", func(e event) bool { return e.name == "committed" }).tx
}

// state is the next change of state to a certain one.
func (f *follower) state(state feed.State) event {
	f.t.Helper()
	return f.await(state.String(), func(e event) bool { return e.name == "state" && e.state == state })
}

// beat waits for a heartbeat that was sent from now on.
func (f *follower) beat() feed.Beat {
	f.t.Helper()
	now := f.clock()
	return f.await("a heartbeat", func(e event) bool { return e.name == "beat" && e.beat.Sent >= now }).beat
}

// published waits until the tables that can be relied upon are these.
func (f *follower) published(names ...string) map[uint32]feed.Table {
	f.t.Helper()
	return f.await(fmt.Sprint("published: ", names), func(e event) bool {
		var got []string
		for oid := range e.tables {
			got = append(got, pgtest.Value(f.t, f.dsn, "select $1::oid::regclass", oid))
		}
		slices.Sort(got)
		return e.name == "published" && slices.Equal(got, names)
	}).tables
}

// exec runs each script and returns the changes of the one transaction that they made, in a short form.
func (f *follower) exec(sql ...string) []string {
	f.t.Helper()
	pgtest.Exec(f.t, f.dsn, sql...)
	return f.describe(f.committed())
}

// describe writes changes as "table kind old > new"; unknown values are ?, null ones -.
func (f *follower) describe(tx *feed.Transaction) []string {
	f.t.Helper()
	var out []string
	for _, c := range tx.Changes {
		name := pgtest.Value(f.t, f.dsn, "select $1::oid::regclass", c.Relation)
		parts := []string{name, c.Kind.String()}
		if c.Old != nil {
			parts = append(parts, row(c.Old))
		}
		if c.New != nil {
			parts = append(parts, "> "+row(c.New))
		}
		out = append(out, strings.Join(parts, " "))
	}
	return out
}

func row(values []feed.Value) string {
	var out []string
	for _, v := range values {
		switch text := string(v.Text); {
		case v.State == feed.Unknown:
			out = append(out, "?")
		case v.State == feed.Null:
			out = append(out, "-")
		case len(text) > 20:
			out = append(out, fmt.Sprintf("%d bytes", len(text)))
		default:
			out = append(out, text)
		}
	}
	return "(" + strings.Join(out, " ") + ")"
}

func (f *follower) expect(got []string, want ...string) {
	f.t.Helper()
	if !slices.Equal(got, want) {
		f.t.Errorf("got  %q\nwant %q", got, want)
	}
}

// cluster starts a server of the test's own in a directory.
func cluster(t *testing.T, dir string, settings map[string]string) *devdb.Cluster {
	t.Helper()
	all := map[string]string{"fsync": "off", "shared_buffers": "16MB", "max_connections": "50"}
	maps.Copy(all, settings)
	c, err := devdb.Start(context.Background(), devdb.Options{Dir: dir, Settings: all})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t *testing.T, c *devdb.Cluster) {
	t.Helper()
	if err := c.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// directory is one that the server's user can enter, which t.TempDir is not when root runs the tests.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slipstream-test-*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := devdb.Remove(context.Background(), dir, nil); err != nil {
			t.Error(err)
		}
	})
	return dir
}
