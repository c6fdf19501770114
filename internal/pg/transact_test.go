package pg_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// inTx is the only value of a query in a transaction.
func inTx(t testing.TB, tx pg.PgxTx, sql string, args ...any) string {
	t.Helper()
	var value string
	if err := tx.QueryRow(t.Context(), sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func TestTransactRunsAsTheCaller(t *testing.T) {
	w := newWorld(t, `create function pre() returns void language plpgsql as $$ begin
		perform set_config('app.seen', current_user, true); end $$`)
	for _, unprepared := range []bool{false, true} {
		db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Unprepared: unprepared})
		tx := &pg.Tx{
			Role: w.ann, SearchPath: `"public"`, Isolation: "repeatable read", PreRequest: `"public"."pre"`,
			RoleSettings: []pg.Setting{{Name: "work_mem", Value: "7MB"}},
			Settings:     []pg.Setting{{Name: "request.jwt.claims", Value: `{"sub":"ann"}`}},
		}
		for range 2 {
			err := db.Transact(t.Context(), tx, func(p pg.PgxTx) error {
				got := inTx(t, p, `select concat_ws('|', current_user, current_setting('search_path'), current_setting('transaction_isolation'),
					current_setting('transaction_read_only'), current_setting('work_mem'), current_setting('request.jwt.claims'), current_setting('app.seen'))`)
				if want := w.ann + `|"public"|repeatable read|on|7MB|{"sub":"ann"}|` + w.ann; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := value(t, db, as(w.bert), "select current_user || current_setting('work_mem')"); got != w.bert+"4MB" {
				t.Errorf("left behind: %s", got)
			}
		}
	}
}

func TestTransactCommitsOrRollsBack(t *testing.T) {
	w := newWorld(t, "create table late (id int unique deferrable initially deferred)", "grant all on all tables in schema public to public")
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	tx := as(w.ann)
	insert := func(id int) func(pg.PgxTx) error {
		return func(p pg.PgxTx) error {
			_, err := p.Exec(t.Context(), "insert into late values ($1), ($1 + 1)", id)
			return err
		}
	}
	if err := db.Transact(t.Context(), tx, insert(1)); err == nil || !strings.Contains(err.Error(), "25006") {
		t.Errorf("read-only: %v", err)
	}
	tx.ReadWrite = true
	if err := db.Transact(t.Context(), tx, insert(1)); err != nil {
		t.Error(err)
	}
	if err := db.Transact(t.Context(), tx, insert(2)); code(err) != "23505" {
		t.Errorf("at the commit: %v", err)
	}
	own := errors.New("changed my mind")
	err := db.Transact(t.Context(), tx, func(p pg.PgxTx) error { return errors.Join(own, insert(10)(p)) })
	if !errors.Is(err, own) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Transact(t.Context(), tx, func(p pg.PgxTx) error { _ = insert(20)(p); panic("oh") })
	}()
	if got := value(t, db, as(w.ann), "select string_agg(id::text, ' ' order by id) from late"); got != "1 2" {
		t.Errorf("rows: %s", got)
	}
}

func TestTransactReportsASetUpThatFails(t *testing.T) {
	w := newWorld(t, "create function pre() returns void language plpgsql as $$ begin raise sqlstate 'PT403' using message = 'no'; end $$")
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	never := func(pg.PgxTx) error { t.Error("called"); return nil }
	tx := as(w.ann)
	tx.PreRequest = `"public"."pre"`
	if err := db.Transact(t.Context(), tx, never); code(err) != "PT403" {
		t.Errorf("got %v", err)
	}
	if err := db.Transact(t.Context(), as("nobody_of_this_name"), never); code(err) != "22023" {
		t.Errorf("got %v", err)
	}
	if s := db.Stats(); s.InUse != 0 || s.Idle != 1 {
		t.Errorf("%+v", s)
	}
}

// TestTransactKeepsNoPlansOfOtherRoles: pgx would cache statements by their text alone.
func TestTransactKeepsNoPlansOfOtherRoles(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	for _, role := range []string{w.ann, w.bert, w.ann} {
		err := db.Transact(t.Context(), as(role), func(p pg.PgxTx) error {
			if got := inTx(t, p, "select current_user || $1::text", "!"); got != role+"!" {
				t.Errorf("%s is %s", role, got)
			}
			if got := inTx(t, p, "select count(*)::text from pg_prepared_statements"); got != "0" {
				t.Errorf("%s statements", got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestTransactEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- db.Transact(ctx, as(w.ann), func(p pg.PgxTx) error {
			_, err := p.Exec(ctx, "select pg_sleep(600)")
			return err
		})
	}()
	until(t, w.super, sleepers, "1")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	until(t, w.super, sleepers, "0")
	read(t, db, as(w.ann), "select 1")
}

func TestCatalogSeesOneMoment(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	tables := func(q pg.Querier) (n int, path string) {
		rows, err := q.Query(t.Context(), "select count(*), current_setting('search_path') from pg_tables where schemaname = 'public'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if !rows.Next() || rows.Scan(&n, &path) != nil {
			t.Fatal(rows.Err())
		}
		return n, path
	}
	own := errors.New("own")
	err := db.Catalog(t.Context(), func(q pg.Querier) error {
		before, path := tables(q)
		pgtest.Exec(t, w.super, "create table more ()")
		if after, _ := tables(q); after != before || path != "" {
			t.Errorf("%d tables, then %d; search path %q", before, after, path)
		}
		return own
	})
	if !errors.Is(err, own) {
		t.Error(err)
	}
}
