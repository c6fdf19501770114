package pg_test

import (
	"context"
	"errors"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/limit"
)

func always() (bool, error) { return true, nil }

// inBatch runs one statement as a write of a batch.
func inBatch(b *pg.Batch, role, sql string, args ...string) (*got, error) {
	g, tx := &got{}, as(role)
	tx.ReadWrite = true
	return g, b.Write(context.Background(), tx, []pg.Statement{statement(sql, args...)}, g, always)
}

func TestBatchIsOneTransaction(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	read(t, db, as(w.ann), "select 1")
	p.take()
	err := db.Batch(t.Context(), limit.Ask{}, func(b *pg.Batch) error {
		if _, err := inBatch(b, w.ann, "insert into item values (5001, current_user) returning id"); err != nil {
			return err
		}
		g := &got{}
		// A read sees what was written, cannot write, and leaves the transaction as it was.
		if err := b.Read(t.Context(), as(w.bert), []pg.Statement{statement("select name, current_setting('transaction_read_only'), current_user from item where id = 5001")}, g); err != nil {
			return err
		}
		if g.rows[0][0] != w.ann || g.rows[0][1] != "on" || g.rows[0][2] != w.bert {
			t.Errorf("read %v", g.rows)
		}
		_, err := inBatch(b, w.bert, "insert into item values (5002, current_user) returning id")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen := p.take(); seen.trips != 4 {
		t.Errorf("%d round trips for 3 operations and a COMMIT", seen.trips)
	}
	if got := value(t, db, as(w.ann), "select string_agg(name, ' ' order by id) from item where id > 5000"); got != w.ann+" "+w.bert {
		t.Error(got)
	}
}

// What one operation sets for itself does not hold for those after it: they have the session's values, or their own.
func TestBatchSettingsAreOfOneOperation(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn + "&options=-c%20work_mem%3D9MB", MaxConns: 1})
	const look = "select current_setting('statement_timeout') || ' ' || current_setting('work_mem') || ' ' || current_setting('app.x', true)"
	own := []pg.Setting{{Name: "statement_timeout", Value: "7s"}, {Name: "work_mem", Value: "8MB"}, {Name: "app.x", Value: "x"}}
	role := []pg.Setting{{Name: "statement_timeout", Value: "5s"}}
	err := db.Batch(t.Context(), limit.Ask{}, func(b *pg.Batch) error {
		for i, c := range []struct {
			settings, role []pg.Setting
			write          bool
			want           string
		}{
			{own, nil, true, "7s 8MB x"}, {nil, nil, true, "0 9MB "}, {nil, nil, false, "0 9MB "}, {own, nil, false, "7s 8MB x"}, {own[1:], role, true, "5s 8MB x"},
			{own[:1], role, true, "7s 9MB "}, {nil, role, false, "5s 9MB "}, {nil, nil, true, "0 9MB "},
		} {
			g, tx := &got{}, as(w.ann, c.settings...)
			tx.RoleSettings, tx.ReadWrite = c.role, c.write
			var err error
			if c.write {
				err = b.Write(t.Context(), tx, []pg.Statement{statement(look)}, g, always)
			} else {
				err = b.Read(t.Context(), tx, []pg.Statement{statement(look)}, g)
			}
			if err != nil {
				return err
			}
			if g.rows[0][0] != c.want {
				t.Errorf("operation %d has %q, want %q", i, g.rows[0][0], c.want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBatchThatFailsLeavesNothing(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	errOwn := errors.New("own")
	for name, end := range map[string]func(*pg.Batch) error{
		"error of f": func(*pg.Batch) error { return errOwn },
		"statement":  func(b *pg.Batch) error { _, err := inBatch(b, w.ann, "select 1/0"); return err },
		"after a failed statement": func(b *pg.Batch) error {
			_, first := inBatch(b, w.ann, "select 1/0")
			if _, err := inBatch(b, w.ann, "select 1"); !errors.Is(err, first) {
				t.Errorf("after %v: %v", first, err)
			}
			return nil
		},
		"isolation": func(b *pg.Batch) error {
			tx := as(w.ann)
			tx.Isolation = "serializable"
			return b.Read(t.Context(), tx, []pg.Statement{statement("select 1")}, &got{})
		},
		"decision": func(b *pg.Batch) error {
			tx := as(w.ann)
			tx.ReadWrite = true
			return b.Write(t.Context(), tx, []pg.Statement{statement("select 1")}, &got{}, func() (bool, error) { return false, nil })
		},
	} {
		_ = db.Batch(t.Context(), limit.Ask{}, func(b *pg.Batch) error {
			if _, err := inBatch(b, w.ann, "insert into item values (5001) returning id"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return end(b)
		})
		if got := value(t, db, as(w.ann), "select count(*) from item where id > 5000"); got != "0" {
			t.Errorf("%s: leaves %s", name, got)
		}
	}
	if err := db.Batch(t.Context(), limit.Ask{}, func(*pg.Batch) error { return nil }); err != nil {
		t.Errorf("nothing: %v", err)
	}
	read(t, db, as(w.ann), "select 1")
}

// TestBatchBeginsAnew: what a connection was lost with, or a statement that has grown stale, is done once more as a whole.
func TestBatchBeginsAnew(t *testing.T) {
	w := newWorld(t, "create view changing as select id from item", "grant select on changing to public")
	for name, disturb := range map[string]string{
		"lost":  "select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'slipstream' and datname = current_database()",
		"stale": "drop view changing; create view changing as select id::text from item; grant select on changing to public",
	} {
		db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
		const ask = "select * from changing where id::text = '1'"
		read(t, db, as(w.ann), ask)
		calls := 0
		err := db.Batch(t.Context(), limit.Ask{}, func(b *pg.Batch) error {
			calls++
			if _, err := inBatch(b, w.ann, "insert into item values (5001) returning id"); err != nil {
				return err
			}
			if calls == 1 {
				pgtest.Exec(t, w.super, disturb)
			}
			g, err := inBatch(b, w.ann, ask)
			if err == nil && len(g.rows) != 1 {
				t.Errorf("%s: %v", name, g.rows)
			}
			return err
		})
		if err != nil || calls != 2 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
		if got := value(t, db, as(w.ann), "select count(*) from item where id > 5000"); got != "1" {
			t.Errorf("%s: %s rows", name, got)
		}
		pgtest.Exec(t, w.super, "delete from item where id > 5000")
	}
}

// TestBatchEndsWithItsCaller: the statement is cancelled, and the transaction rolled back.
func TestBatchEndsWithItsCaller(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := db.Batch(ctx, limit.Ask{}, func(b *pg.Batch) error {
		if _, err := inBatch(b, w.ann, "insert into item values (5001) returning id"); err != nil {
			return err
		}
		go func() {
			until(t, w.super, sleepers, "1")
			cancel()
		}()
		_, err := inBatch(b, w.ann, "select pg_sleep(600)")
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := value(t, db, as(w.ann), "select count(*) from item where id > 5000"); got != "0" {
		t.Error(got)
	}
}
