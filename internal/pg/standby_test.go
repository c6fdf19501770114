package pg_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestStandby(t *testing.T) {
	t.Setenv("DATABASE_URL", "") // the standby is one of the tests' own server
	w := newWorld(t)
	// Whatever the settings say, snapshots must be the statements' own.
	pgtest.Exec(t, w.super, "alter role "+w.login+" set default_transaction_isolation = 'repeatable read'")
	r := pgtest.Standby(t)
	r.CatchUp()
	t.Run("replayed", func(t *testing.T) { testReplayed(t, w, r) })
	t.Run("least", func(t *testing.T) { testLeast(t, w, r) })
	t.Run("shared", func(t *testing.T) { testReplayedShared(t, w, r) })
	t.Run("imitate", func(t *testing.T) { testImitate(t, w, r) })
	t.Run("promoted", func(t *testing.T) { testPromoted(t, w, r) }) // the last one
}

func testReplayed(t *testing.T, w world, r *pgtest.Replica) {
	primary := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	standby := run(t, pg.Options{DSN: r.At(w.dsn), MaxConns: 1, Standby: true})

	// What was replayed by the position that a read tells, it has seen, from the first to the last: the statement of the
	// settings comes before.
	for n := range 20 {
		pgtest.Exec(t, w.super, "set synchronous_commit = on; insert into item values ("+strconv.Itoa(2000+n)+", 'new')")
		var position uint64
		for expected := "0"; expected != strconv.Itoa(n+1); {
			tx, sink := as(w.ann), &got{}
			if err := standby.Read(t.Context(), tx, []pg.Statement{statement("select count(*), pg_last_wal_replay_lsn() - '0/0' from item where id >= 2000")}, sink); err != nil {
				t.Fatal(err)
			}
			later := number(t, sink.rows[0][1])
			if tx.Replayed() < position || tx.Replayed() > later {
				t.Fatalf("replayed %d after %d and before %d", tx.Replayed(), position, later)
			}
			position, expected = tx.Replayed(), sink.rows[0][0]
		}
	}

	for what, tc := range map[string]struct {
		db        *pg.DB
		isolation string
		shown     string
		told      bool
	}{
		"a read":                     {standby, "", "read committed", true},
		"one with another isolation": {standby, "repeatable read", "repeatable read", false},
		"one on the primary":         {primary, "", "repeatable read", false},
	} {
		tx, sink := as(w.ann), &got{}
		tx.Isolation = tc.isolation
		if err := tc.db.Read(t.Context(), tx, []pg.Statement{statement("show transaction_isolation")}, sink); err != nil {
			t.Fatal(err)
		}
		if got := sink.rows[0][0]; got != tc.shown || (tx.Replayed() != 0) != tc.told {
			t.Errorf("%s: %s, replayed %d", what, got, tx.Replayed())
		}
	}

	tx := as(w.ann)
	if err := standby.Read(t.Context(), tx, []pg.Statement{statement("select 1 / 0")}, &got{}); err == nil || tx.Replayed() != 0 {
		t.Errorf("a read that failed: %v, replayed %d", err, tx.Replayed())
	}
}

// A read that must see more than a standby has replayed gives nothing, and leaves the connection as it was.
func testLeast(t *testing.T, w world, r *pgtest.Replica) {
	primary := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	standby := run(t, pg.Options{DSN: r.At(w.dsn), MaxConns: 1, Standby: true})
	lookout := primary.Lookout()
	defer lookout.Close()
	r.CatchUp()
	now, err := lookout.Look(t.Context())
	if err != nil || now.LSN == 0 || now.Timeline != 1 || now.System == 0 || lookout.Database() != pgtest.Value(t, w.super, "select current_database()") {
		t.Fatalf("%+v, %v in %s", now, err, lookout.Database())
	}
	for range 3 {
		for least, want := range map[uint64]error{0: nil, 1: nil, now.LSN: nil, now.LSN + 1<<30: pg.ErrBehind} {
			tx, sink := as(w.ann), &got{}
			tx.Least = least
			err := standby.Read(t.Context(), tx, []pg.Statement{statement("select 1")}, sink)
			if !errors.Is(err, want) || (len(sink.rows) == 1) != (want == nil) {
				t.Errorf("at least %d of %d: %v, %q", least, now.LSN, err, sink.rows)
			}
		}
	}
}

// Reads that share a connection have each a position of their own.
func testReplayedShared(t *testing.T, w world, r *pgtest.Replica) {
	db := run(t, pg.Options{DSN: r.At(w.dsn), MaxConns: 1, Standby: true})
	db.SetQuick(1 << 40)
	quick := pg.Quick()
	done := make(chan error)
	const readers, each = 8, 30
	for range readers {
		go func() {
			var err error
			for range each {
				tx, sink := as(w.ann), &got{}
				err = errors.Join(err, db.Read(t.Context(), tx, []pg.Statement{{SQL: "select pg_last_wal_replay_lsn() - '0/0'", Pace: quick}}, sink))
				if err == nil && (tx.Replayed() == 0 || tx.Replayed() > number(t, sink.rows[0][0])) {
					err = fmt.Errorf("replayed %d, and then %s", tx.Replayed(), sink.rows[0][0])
				}
			}
			done <- err
		}()
	}
	for range readers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func testImitate(t *testing.T, w world, r *pgtest.Replica) {
	// In its own file, as the administrator of the standby may have it.
	pgtest.Exec(t, r.At(w.super), "alter system set timezone = 'Asia/Tokyo'", "alter system set datestyle = 'SQL, DMY'", "select pg_reload_conf()")
	eventually(t, "in force", func() bool { return pgtest.Value(t, r.At(w.super), "show timezone") == "Asia/Tokyo" })
	primary := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	standby := run(t, pg.Options{DSN: r.At(w.dsn), MaxConns: 1, Standby: true})
	shown := func(db *pg.DB) string {
		sink := &got{}
		if err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement("select timestamptz '2020-01-02 03:04:05Z'")}, sink); err != nil {
			t.Fatal(err)
		}
		return sink.rows[0][0]
	}
	want, before := shown(primary), shown(standby)
	if before == want {
		t.Fatalf("%s by itself", before)
	}
	if err := standby.Imitate(t.Context(), primary); err != nil {
		t.Fatal(err)
	}
	if got := shown(standby); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Of a server that was promoted, nothing is read by the connections that there are.
func testPromoted(t *testing.T, w world, r *pgtest.Replica) {
	standby := run(t, pg.Options{DSN: r.At(w.dsn), MaxConns: 1, Standby: true})
	for _, want := range []error{nil, pg.ErrBehind} {
		tx, sink := as(w.ann), &got{}
		tx.Least = 1
		if err := standby.Read(t.Context(), tx, []pg.Statement{statement("select 1")}, sink); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if want == nil {
			r.Promote()
		}
	}
}

func number(t *testing.T, text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestStandbyMustBeOne(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Standby: true})
	var refused *pg.ConnectError
	if err := db.Ping(t.Context()); !errors.As(err, &refused) {
		t.Errorf("connected to a primary: %v", err)
	}
}

// TestAStandbyOfAnotherCluster has the same address as the one that was there before, and must not be read from.
func TestAStandbyOfAnotherCluster(t *testing.T) {
	t.Setenv("DATABASE_URL", "")
	own := pgtest.Server(t)
	primary := run(t, pg.Options{DSN: own.DSN("postgres"), MaxConns: 1})
	foreign := pgtest.StandbyOf(t, pgtest.Own(t, map[string]string{"wal_level": "replica"}))
	for name, c := range map[string]struct {
		dsn     string
		foreign bool
	}{"own": {pgtest.StandbyOf(t, own).DSN("postgres"), false}, "foreign": {foreign.DSN("postgres"), true}} {
		standby := run(t, pg.Options{DSN: c.dsn, MaxConns: 1, Standby: true})
		if err := standby.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := standby.Imitate(t.Context(), primary); err != nil {
			t.Fatal(err)
		}
		var refused *pg.ConnectError
		if err := standby.Ping(t.Context()); errors.As(err, &refused) != c.foreign {
			t.Errorf("%s: %v", name, err)
		}
	}
}
