package feed_test

import (
	"strconv"
	"syscall"
	"testing"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// A heartbeat's own transaction is one that it did not see, and that all later ones have seen.
func TestBeatsTellTheirTransaction(t *testing.T) {
	f := follow(t, database(t))
	last := f.beat()
	for range 20 {
		b := f.beat()
		if b.Snapshot.Saw(uint32(b.Xid)) || !b.Snapshot.Saw(uint32(last.Xid)) || b.Xid <= last.Xid || b.EndLSN <= last.EndLSN {
			t.Errorf("%+v after %+v", b, last)
		}
		last = b
	}
}

// Feeds of the same database agree on it, until a role changes; those of another one do not.
func TestBeatsTellTheirSource(t *testing.T) {
	role := pgtest.Role(t, "nologin")
	one := follow(t, database(t), everyTickPolls)
	two, other := start(t, one.dsn, everyTickPolls), follow(t, database(t))
	before := one.beat().Source
	agree := func(f *follower, want [32]byte) {
		t.Helper()
		f.await("a heartbeat of the same source", func(e event) bool { return e.name == "beat" && e.beat.Source == want })
	}
	agree(two, before)
	if other.beat().Source == before {
		t.Error("another database is the same source")
	}
	pgtest.Exec(t, one.dsn, "alter role "+role+" bypassrls")
	after := one.await("another source", func(e event) bool { return e.name == "beat" && e.beat.Source != before }).beat.Source
	agree(two, after)
}

// After a crash, ids may be given again that others have seen: it is another source.
func TestACrashMakesAnotherSource(t *testing.T) {
	dsn := cluster(t, directory(t), nil).DSN("postgres")
	install(t, dsn)
	f := start(t, dsn)
	before := f.beat().Source
	pid, err := strconv.Atoi(pgtest.Value(t, dsn, "select pid from pg_stat_activity where backend_type = 'background writer'"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.state(feed.Broken)
	f.state(feed.Live)
	if f.beat().Source == before {
		t.Error("it is the same source")
	}
}
