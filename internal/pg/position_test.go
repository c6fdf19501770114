package pg_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/limit"
)

// lsn is a position as PostgreSQL writes it.
func lsn(p uint64) string { return fmt.Sprintf("%X/%X", p>>32, uint32(p)) }

// Every kind of commit tells its position, which is after the commit's, and nothing but a commit does.
func TestPositionAfterCommit(t *testing.T) {
	w := newWorld(t)
	var told []pg.Position
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Committed: func(_ context.Context, p pg.Position) { told = append(told, p) }})
	history := pgtest.Value(t, w.super, "select (pg_control_checkpoint()).timeline_id || ' ' || (pg_control_system()).system_identifier")
	guarded := writer(w.ann)
	guarded.Guard = &pg.Guard{Before: statement("select 1"), After: statement("select 2")}
	for _, tc := range []struct {
		what    string
		commits bool
		run     func() error
	}{
		{"a write", true, func() error {
			return db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("6001")}, &got{}, commit)
		}},
		{"a guarded write", true, func() error {
			return db.Write(t.Context(), guarded, []pg.Statement{insert("6002")}, &got{}, commit)
		}},
		{"a batch", true, func() error {
			return db.Batch(t.Context(), limit.Ask{}, func(b *pg.Batch) error {
				return b.Write(t.Context(), writer(w.ann), []pg.Statement{insert("6003")}, &got{}, commit)
			})
		}},
		{"a transaction of a program", true, func() error {
			return db.Transact(t.Context(), writer(w.ann), func(tx pg.PgxTx) error {
				_, err := tx.Exec(t.Context(), "insert into item values (6004, 'new')")
				return err
			})
		}},
		{"a rollback", false, func() error {
			return db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("6005")}, &got{}, func() (bool, error) { return false, nil })
		}},
		{"a failure", false, func() error {
			err := db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("6001")}, &got{}, commit)
			var answered *pg.Error
			if !errors.As(err, &answered) || answered.Code != "23505" {
				return fmt.Errorf("a key twice: %w", err)
			}
			return nil
		}},
		{"a read", false, func() error {
			return db.Read(t.Context(), &pg.Tx{Role: w.ann, SearchPath: "public"}, []pg.Statement{statement("select 1")}, &got{})
		}},
	} {
		told = nil
		before := pgtest.Value(t, w.super, "select pg_current_wal_insert_lsn()")
		if err := tc.run(); err != nil {
			t.Fatalf("%s: %v", tc.what, err)
		}
		switch {
		case !tc.commits && len(told) > 0:
			t.Errorf("%s tells %v", tc.what, told)
		case tc.commits && len(told) != 1:
			t.Errorf("%s tells %v", tc.what, told)
		case tc.commits && pgtest.Value(t, w.super, "select $1::pg_lsn > $2::pg_lsn", lsn(told[0].LSN), before) != "t":
			t.Errorf("%s: %s is not after %s", tc.what, lsn(told[0].LSN), before)
		case tc.commits && fmt.Sprint(told[0].Timeline, told[0].System) != history:
			t.Errorf("%s: %+v, want %s", tc.what, told[0], history)
		}
	}
	told = nil
	db.CommittedBefore(t.Context())
	if len(told) != 1 || fmt.Sprint(told[0].Timeline, told[0].System) != history || told[0].LSN == 0 {
		t.Errorf("an earlier commit tells %+v", told)
	}
}

// Where the position cannot be read, writes are done all the same, once, and who wants to know hears of them.
func TestPositionRefused(t *testing.T) {
	w := newWorld(t)
	var told []pg.Position
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Committed: func(_ context.Context, p pg.Position) { told = append(told, p) }})
	pgtest.Exec(t, w.super, "revoke execute on function pg_control_system from public")
	for _, id := range []string{"6101", "6102"} {
		if err := db.Write(t.Context(), writer(w.ann), []pg.Statement{insert(id)}, &got{}, commit); err != nil {
			t.Error(err)
		}
	}
	if len(told) != 2 || told[0] != (pg.Position{}) || told[1] != (pg.Position{}) {
		t.Errorf("told %+v", told)
	}
	if n := pgtest.Value(t, w.super, "select count(*) from item where id in (6101, 6102)"); n != "2" {
		t.Errorf("%s rows, want 2", n)
	}
}
