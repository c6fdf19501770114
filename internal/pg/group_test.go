package pg_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// insertGrouped is a write that may be one of a group.
func insertGrouped(ctx context.Context, db *pg.DB, role, sql string, decide pg.Decide, args ...string) (*got, error) {
	g, tx := &got{}, as(role, pg.Setting{Name: "request.path", Value: strings.Join(args, " ")})
	tx.ReadWrite = true
	s := statement(sql, args...)
	s.Group = "item"
	return g, db.Write(ctx, tx, []pg.Statement{s}, g, decide)
}

const insertSQL = "insert into item values ($1::int, current_user || current_setting('request.path')) returning id, name, xmin"

// TestWritesShareATransaction: each is its caller's, has its own rows, and all of them cost two round trips.
func TestWritesShareATransaction(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	transactions := sync.Map{}
	var writes []func()
	for i := range 100 {
		role := []string{w.ann, w.bert}[i%2]
		writes = append(writes, func() {
			id := fmt.Sprint(5000 + i)
			g, err := insertGrouped(t.Context(), db, role, insertSQL, always, id)
			if err != nil || len(g.rows) != 1 || g.rows[0][0] != id || g.rows[0][1] != role+id {
				t.Errorf("%v, %v", g.rows, err)
				return
			}
			transactions.Store(g.rows[0][2], true)
		})
	}
	p.take()
	crowd(t, db, w, writes...)
	if seen := p.take(); seen.trips > 10 {
		t.Errorf("%d round trips", seen.trips)
	}
	n := 0
	transactions.Range(func(any, any) bool { n++; return true })
	if n != 2 {
		t.Errorf("%d transactions for 100 writes of up to 64 each", n)
	}
	if got := value(t, db, as(w.ann), "select count(*) from item where id >= 5000"); got != "100" {
		t.Errorf("%s rows", got)
	}
}

// TestAFailedWriteOfAGroupIsItsOwn: an error, a refusal and a rollback cost the others nothing but another try.
func TestAFailedWriteOfAGroupIsItsOwn(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	errOwn := errors.New("own")
	never := func() (bool, error) { return false, nil }
	refuse := func() (bool, error) { return true, errOwn }
	for name, fail := range map[string]func() error{
		"duplicate": func() error { _, err := insertGrouped(t.Context(), db, w.ann, insertSQL, always, "1"); return err },
		"refusal":   func() error { _, err := insertGrouped(t.Context(), db, w.ann, insertSQL, refuse, "6000"); return err },
		"rollback":  func() error { _, err := insertGrouped(t.Context(), db, w.ann, insertSQL, never, "6000"); return err },
		"syntax":    func() error { _, err := insertGrouped(t.Context(), db, w.ann, "nonsense", always); return err },
		"enough": func() error {
			tx := as(w.ann, pg.Setting{Name: "request.path"})
			tx.ReadWrite = true
			s := statement("insert into item values (6000) returning id")
			s.Group = "item"
			return db.Write(t.Context(), tx, []pg.Statement{s}, &got{onRow: func() error { return errEnough }}, always)
		},
	} {
		var writes []func()
		for i := range 6 {
			writes = append(writes, func() {
				if i == 2 {
					switch err := fail(); {
					case name == "duplicate" && code(err) != "23505", name == "refusal" && !errors.Is(err, errOwn),
						name == "rollback" && err != nil, name == "syntax" && code(err) != "42601", name == "enough" && !errors.Is(err, errEnough):
						t.Errorf("%s: %v", name, err)
					}
					return
				}
				id := fmt.Sprint(5000 + i)
				if g, err := insertGrouped(t.Context(), db, w.bert, insertSQL, always, id); err != nil || len(g.rows) != 1 || g.rows[0][0] != id {
					t.Errorf("%s: %v, %v", name, g.rows, err)
				}
			})
		}
		crowd(t, db, w, writes...)
		if got := value(t, db, as(w.ann), "select count(*) from item where id >= 5000"); got != "5" {
			t.Errorf("%s: %s rows", name, got)
		}
		pgtest.Exec(t, w.super, "delete from item where id >= 5000")
	}
}

// TestAGroupThatIsLost at COMMIT begins anew, each write by itself, once it is known that it did not take effect.
func TestAGroupThatIsLost(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	var once sync.Once
	kill := func() (bool, error) {
		once.Do(func() {
			pgtest.Exec(t, w.super, "select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'slipstream' and datname = current_database()")
		})
		return true, nil
	}
	var writes []func()
	for i := range 5 {
		writes = append(writes, func() {
			if _, err := insertGrouped(t.Context(), db, w.ann, insertSQL, kill, fmt.Sprint(5000+i)); err != nil {
				t.Error(err)
			}
		})
	}
	crowd(t, db, w, writes...)
	if got := value(t, db, as(w.ann), "select count(*) from item where id >= 5000"); got != "5" {
		t.Errorf("%s rows", got)
	}
	if got := db.RetryStats().Undone; got != 5 {
		t.Errorf("%d writes were found undone", got)
	}
}

// TestOtherSettingsAreAnotherGroup: a write that does not set all that another sets must not follow it.
func TestOtherSettingsAreAnotherGroup(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	var writes []func()
	for i := range 6 {
		tx := as(w.ann, pg.Setting{Name: "request.path", Value: "x"})
		if i%2 == 0 {
			tx.Settings = append(tx.Settings, pg.Setting{Name: "app.secret", Value: "mine"})
		}
		tx.ReadWrite = true
		writes = append(writes, func() {
			s, g := statement("insert into item values ($1::int, coalesce(current_setting('app.secret', true), '')) returning name", fmt.Sprint(5000+i)), &got{}
			s.Group = "item"
			if err := db.Write(t.Context(), tx, []pg.Statement{s}, g, always); err != nil || g.rows[0][0] != map[bool]string{true: "mine"}[i%2 == 0] {
				t.Errorf("%d: %v, %v", i, g.rows, err)
			}
		})
	}
	crowd(t, db, w, writes...)
}

// TestWhoLeavesAGroupIsToldSo, and not what that has cancelled.
func TestWhoLeavesAGroupIsToldSo(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	blocker, err := pgx.Connect(t.Context(), w.super)
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Close(context.Background())
	if _, err := blocker.Exec(t.Context(), "begin; lock table item"); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		until(t, w.super, "select count(*) from pg_stat_activity where wait_event = 'relation' and datname = current_database()", "1")
		leave()
	}()
	var writes []func()
	for i := range 5 {
		writes = append(writes, func() {
			if _, err := insertGrouped(ctx, db, w.ann, insertSQL, always, fmt.Sprint(5000+i)); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	crowd(t, db, w, writes...)
}

// TestGroupsInACrowd lets writes be cancelled at every moment. What was answered is there, and nothing is twice.
func TestGroupsInACrowd(t *testing.T) {
	w := newWorld(t, "alter table item drop constraint item_pkey")
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 2})
	var all sync.WaitGroup
	var mu sync.Mutex
	answered := map[string]bool{}
	for i := range 16 {
		all.Go(func() {
			for n := range 40 {
				id := fmt.Sprint(10000 + 100*i + n)
				ctx, cancel := context.WithCancel(t.Context())
				if n%3 == 0 {
					time.AfterFunc(rand.N(4*time.Millisecond), cancel)
				}
				_, err := insertGrouped(ctx, db, w.ann, insertSQL, always, id)
				if err == nil {
					mu.Lock()
					answered[id] = true
					mu.Unlock()
				} else if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if got := value(t, db, as(w.ann), "select count(*) - count(distinct id) from item"); got != "0" {
		t.Errorf("%s rows twice", got)
	}
	for id := range answered {
		if value(t, db, as(w.ann), "select count(*) from item where id = "+id) != "1" {
			t.Errorf("%s was answered, and is not there", id)
		}
	}
}
