package pg_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

const timeouts = `select round(extract(epoch from current_setting('statement_timeout')::interval) * 1000),
	round(extract(epoch from current_setting('lock_timeout')::interval) * 1000)`

// shown are the timeouts of a transaction, in milliseconds.
func shown(t *testing.T, db *pg.DB, tx *pg.Tx) (statement, lock int) {
	t.Helper()
	g := read(t, db, tx, timeouts)
	if _, err := fmt.Sscan(g.rows[0][0], &statement); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(g.rows[0][1], &lock); err != nil {
		t.Fatal(err)
	}
	return statement, lock
}

func TestADeadlineOnlyLowersTimeouts(t *testing.T) {
	w := newWorld(t)
	for set, c := range map[string]struct {
		statement, lock int // of the role
		role            []pg.Setting
	}{
		"":                             {0, 0, nil},
		"set statement_timeout = '2h'": {7200000, 0, nil},
		"set statement_timeout = '3s'": {3000, 0, nil},
		"set lock_timeout = '1500ms'":  {0, 1500, nil},
		"set statement_timeout = '1d'": {4000, 0, []pg.Setting{{Name: "statement_timeout", Value: "4s"}}},
		"set statement_timeout = '1h'": {0, 0, []pg.Setting{{Name: "statement_timeout", Value: "0"}}},
	} {
		t.Run(set, func(t *testing.T) {
			pgtest.Exec(t, w.super, "alter role "+w.login+" reset all")
			if set != "" {
				pgtest.Exec(t, w.super, "alter role "+w.login+" "+set)
			}
			db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
			tx := as(w.ann)
			tx.RoleSettings = c.role
			if took, lock := shown(t, db, tx); took != c.statement || lock != c.lock {
				t.Errorf("without a deadline: %d and %d", took, lock)
			}
			const minute = 60000
			tx.Deadline = time.Now().Add(time.Minute)
			took, lock := shown(t, db, tx)
			switch {
			case c.statement > 0 && c.statement < minute && took != c.statement:
				t.Errorf("statement_timeout is %d, and has been %d", took, c.statement)
			case took <= 0 || took > minute-50:
				t.Errorf("statement_timeout is %d", took)
			}
			if want := 2000; c.lock > 0 && lock != c.lock || c.lock == 0 && lock != want {
				t.Errorf("lock_timeout is %d", lock)
			}
			tx.Deadline = time.Now().Add(-time.Second)
			if err := db.Read(t.Context(), tx, []pg.Statement{statement("select pg_sleep(60)")}, &got{}); !errors.Is(err, pg.ErrDeadline) {
				t.Errorf("a deadline that has passed: %v", err)
			}
			tx.Deadline = time.Time{}
			if took, lock := shown(t, db, tx); took != c.statement || lock != c.lock {
				t.Errorf("afterwards: %d and %d", took, lock)
			}
		})
	}
}

// The server's timeout never comes before what is taken for the deadline's doing.
func TestADeadlineIsToldAsOne(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	shown(t, db, as(w.ann))
	for n := range 30 {
		tx := as(w.ann)
		tx.Deadline = time.Now().Add(100*time.Millisecond + time.Duration(n*37)*time.Microsecond)
		if err := db.Read(t.Context(), tx, []pg.Statement{statement("select pg_sleep(60)")}, &got{}); !errors.Is(err, pg.ErrDeadline) {
			t.Fatalf("try %d: %v", n, err)
		}
	}
}

// What another one ends is not the deadline's doing.
func TestWhatIsNoDeadline(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	tx := as(w.ann)
	tx.RoleSettings = []pg.Setting{{Name: "statement_timeout", Value: "1ms"}}
	tx.Deadline = time.Now().Add(time.Hour)
	if err := db.Read(t.Context(), tx, []pg.Statement{statement("select pg_sleep(60)")}, &got{}); code(err) != "57014" {
		t.Errorf("got %v", err)
	}
}

func TestADeadlineIsNoRoundTrip(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	tx := as(w.ann)
	tx.Deadline = time.Now().Add(time.Hour)
	for i := range 3 {
		p.take()
		tx.Deadline = tx.Deadline.Add(time.Second)
		err := db.Read(t.Context(), tx, []pg.Statement{statement("select 1")}, &got{})
		if seen := p.take(); err != nil || i > 0 && (seen.trips != 1 || seen.count('P') != 0) {
			t.Errorf("%v, %+v", err, seen)
		}
	}
}

// A write of a group must not have the time that another one has left.
func TestDeadlinesInAGroup(t *testing.T) {
	w := newWorld(t, "create function timeout() returns text language sql volatile as $$ select current_setting('statement_timeout') $$")
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	var writes []func()
	for i := range 6 {
		writes = append(writes, func() {
			tx := writer(w.ann)
			tx.Deadline = time.Now().Add(time.Hour)
			if i%2 == 0 {
				tx.Deadline = time.Now().Add(10 * time.Minute)
			}
			g := &got{}
			s := statement("insert into item values ($1::int, timeout()) returning extract(epoch from name::interval)::int", fmt.Sprint(5000+i))
			s.Group = "item"
			err := db.Write(t.Context(), tx, []pg.Statement{s}, g, always)
			var seconds int
			if err == nil {
				_, err = fmt.Sscan(g.rows[0][0], &seconds)
			}
			if short := seconds <= 600; err != nil || short != (i%2 == 0) {
				t.Errorf("%d: %d s, %v", i, seconds, err)
			}
		})
	}
	crowd(t, db, w, writes...)
}
