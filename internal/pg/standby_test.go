package pg_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// standbyWorld is a world with a standby that has replayed it.
func standbyWorld(t *testing.T) (world, *pgtest.Replica) {
	t.Setenv("DATABASE_URL", "") // the standby is one of the tests' own server
	w := newWorld(t)
	// Whatever the settings say, snapshots must be the statements' own.
	pgtest.Exec(t, w.super, "alter role "+w.login+" set default_transaction_isolation = 'repeatable read'")
	r := pgtest.Standby(t)
	r.CatchUp()
	return w, r
}

func TestStandby(t *testing.T) {
	w, r := standbyWorld(t)
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

// Reads that share a connection have each a position of their own.
func TestStandbyShared(t *testing.T) {
	w, r := standbyWorld(t)
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
