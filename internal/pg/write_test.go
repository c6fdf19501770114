package pg_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func writer(role string) *pg.Tx {
	return &pg.Tx{Role: role, SearchPath: "public", ReadWrite: true}
}

func insert(id string) pg.Statement {
	return statement("insert into item values ($1::int, 'new') returning id", id)
}

func commit() (bool, error) { return true, nil }

// written are the rows that the writes of a test have left.
func written(t testing.TB, w world) string {
	t.Helper()
	return pgtest.Value(t, w.super, "select string_agg(id::text, ' ' order by id) from item where name = 'new'")
}

func TestWriteIsTwoRoundTrips(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	for i, id := range []string{"5001", "5002", "5003"} {
		p.take()
		g := &got{}
		decide := func() (bool, error) {
			if len(g.rows) != 1 || g.rows[0][0] != id {
				t.Errorf("decided on %v", g.rows)
			}
			if strings.Contains(written(t, w), id) {
				t.Error("committed before the decision")
			}
			return true, nil
		}
		if err := db.Write(t.Context(), writer(w.ann), []pg.Statement{insert(id)}, g, decide); err != nil {
			t.Fatal(err)
		}
		if seen := p.take(); i > 0 && seen.trips != 2 {
			t.Errorf("%d round trips: %v", seen.trips, seen.messages)
		}
	}
	if got := written(t, w); got != "5001 5002 5003" {
		t.Error(got)
	}
}

func TestWriteThatIsNotCommitted(t *testing.T) {
	w := newWorld(t, "create table late (id int unique deferrable initially deferred)", "grant all on late to public")
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	own := errors.New("not singular")
	twice := statement("insert into late values (1), (1) returning id")
	for name, c := range map[string]struct {
		statement pg.Statement
		decide    func() (bool, error)
		own       error
		code      string
	}{
		"rolled back":                      {insert("5001"), func() (bool, error) { return false, nil }, nil, ""},
		"refused":                          {insert("5001"), func() (bool, error) { return true, own }, own, ""},
		"violates a constraint":            {insert("1"), commit, nil, "23505"},
		"violates a constraint at the end": {twice, commit, nil, "23505"},
		"would violate one at the end":     {twice, func() (bool, error) { return false, nil }, nil, "23505"},
	} {
		for _, isolation := range []string{"", "serializable"} {
			tx := writer(w.ann)
			tx.Isolation = isolation
			err := db.Write(t.Context(), tx, []pg.Statement{c.statement}, &got{}, c.decide)
			if c.own != nil && !errors.Is(err, c.own) || code(err) != c.code || c.own == nil && c.code == "" && err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := written(t, w); got != "" {
				t.Errorf("%s: it leaves %s", name, got)
			}
			if got := value(t, db, as(w.bert), "select current_user"); got != w.bert {
				t.Errorf("%s: the next is %s", name, got)
			}
		}
	}
	if s := db.Stats(); s.Total != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAWriteWhoseDecisionPanics(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	func() {
		defer func() { _ = recover() }()
		_ = db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("5001")}, &got{}, func() (bool, error) { panic("oh") })
	}()
	if got := written(t, w); got != "" {
		t.Errorf("it leaves %s", got)
	}
	read(t, db, as(w.ann), "select 1")
}

// TestAWriteBeginsAnewOnADeadConnection: what was not committed is gone with the connection.
func TestAWriteBeginsAnewOnADeadConnection(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	read(t, db, as(w.ann), "select 1")
	p.cut()
	if err := db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("5001")}, &got{}, commit); err != nil {
		t.Error(err)
	}
	if got := written(t, w); got != "5001" {
		t.Errorf("it leaves %q", got)
	}
}

func TestAWriteIsCancelledBeforeItsDecisionAndNotAfterIt(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- db.Write(ctx, writer(w.ann), []pg.Statement{insert("5001"), statement("select pg_sleep(600)")}, &got{}, commit)
	}()
	until(t, w.super, sleepers, "1")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := written(t, w); got != "" {
		t.Errorf("it leaves %s", got)
	}
	ctx, cancel = context.WithCancel(t.Context())
	leave := func() (bool, error) {
		cancel()
		return true, nil
	}
	if err := db.Write(ctx, writer(w.ann), []pg.Statement{insert("5002")}, &got{}, leave); err != nil {
		t.Error(err)
	}
	if got := written(t, w); got != "5002" {
		t.Errorf("it leaves %s", got)
	}
}
