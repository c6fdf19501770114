package pg_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/chaos"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/limit"
)

// breaking at a message of the protocol, through package chaos.
func breakable(t *testing.T, dsn string) (p *chaos.Proxy, through string) {
	t.Helper()
	inner, through := newProxy(t, dsn)
	p, err := chaos.ProxyConfig{Upstream: inner.listener.Addr().String(), Protocol: chaos.PostgreSQL}.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, withHost(t, through, p.Addr())
}

// What is meant by a cut at COMMIT.
var (
	beforeCommit = chaos.Point{Before: "Execute", SQL: "commit", Nth: 1}
	afterCommit  = chaos.Point{Before: "CommandComplete", Tag: "COMMIT", Nth: 1}
)

// cutFirst has the first connection break at a point.
func cutFirst(t *testing.T, p *chaos.Proxy, at chaos.Point) {
	t.Helper()
	if err := p.Set(chaos.Fault{Cut: &at, Connections: chaos.Connections{Nth: 1}}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatBecameOfACommit(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		at    chaos.Point
		asked int
	}{
		"it did not take effect": {beforeCommit, 2},
		"it did":                 {afterCommit, 1},
	} {
		for how, do := range map[string]func(db *pg.DB, sink *got, decide pg.Decide) error{
			"write": func(db *pg.DB, sink *got, decide pg.Decide) error {
				return db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("5001")}, sink, decide)
			},
			"batch": func(db *pg.DB, sink *got, decide pg.Decide) error {
				return db.Batch(t.Context(), limit.Ask{}, func(b *pg.Batch) error {
					*sink = got{}
					return b.Write(t.Context(), writer(w.ann), []pg.Statement{insert("5001")}, sink, decide)
				})
			},
		} {
			t.Run(how+": "+name, func(t *testing.T) {
				p, dsn := breakable(t, w.dsn)
				committed := 0
				db := run(t, pg.Options{DSN: dsn, MaxConns: 1, Committed: func(context.Context, pg.Position) { committed++ }})
				cutFirst(t, p, c.at)
				asked, sink := 0, &got{}
				err := do(db, sink, func() (bool, error) { asked++; return true, nil })
				if len(sink.columns) != 1 || len(sink.rows) > 1 {
					t.Errorf("the sink has %v, %v", sink.columns, sink.rows)
				}
				if err != nil || asked != c.asked || committed != 1 {
					t.Errorf("%v, asked %d times, told of %d commits", err, asked, committed)
				}
				if got := written(t, w); got != "5001" {
					t.Errorf("it leaves %q", got)
				}
				if s := db.RetryStats(); s.Committed+s.Undone != 1 || s.Unknown != 0 {
					t.Errorf("%+v", s)
				}
				pgtest.Exec(t, w.super, "delete from item where name = 'new'")
			})
		}
	}
}

// A transaction of a program's own is not repeated: it may do other things, too.
func TestWhatBecameOfAProgramsCommit(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		at   chaos.Point
		left string
	}{
		"it did not take effect": {chaos.Point{Before: "Query", SQL: "commit", Nth: 1}, ""},
		"it did":                 {afterCommit, "5001"},
	} {
		p, dsn := breakable(t, w.dsn)
		db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
		cutFirst(t, p, c.at)
		called := 0
		tx := as(w.ann)
		tx.ReadWrite = true
		err := db.Transact(t.Context(), tx, func(tx pg.PgxTx) error {
			called++
			_, err := tx.Exec(t.Context(), "insert into item values (5001, 'new')")
			return err
		})
		var lost *pg.LostError
		unknown := errors.As(err, &lost) && lost.CommitUnknown
		if called != 1 || unknown || (err == nil) != (c.left != "") {
			t.Errorf("%s: %v after %d calls", name, err, called)
		}
		if got := written(t, w); got != c.left {
			t.Errorf("%s: it leaves %q", name, got)
		}
		pgtest.Exec(t, w.super, "delete from item where name = 'new'")
	}
}

// TestACommitIntoABlackHole: while the transaction may still be committed, nobody says what became of it.
func TestACommitIntoABlackHole(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 2})
	db.SetCommitGrace(20 * time.Millisecond)
	db.SetFateWithin(200 * time.Millisecond)
	asked := 0
	err := db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("5001")}, &got{}, func() (bool, error) {
		asked++
		p.freeze(true)
		return true, nil
	})
	p.freeze(false)
	var lost *pg.LostError
	if !errors.As(err, &lost) || !lost.CommitUnknown || asked != 1 || db.RetryStats().Unknown != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

// TestAnotherServersWordIsNotTaken: a server that was promoted can have given the same id to another transaction.
func TestAnotherServersWordIsNotTaken(t *testing.T) {
	t.Setenv("DATABASE_URL", "")
	w := newWorld(t)
	r := pgtest.Standby(t)
	r.CatchUp()
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	err := db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("5001")}, &got{}, func() (bool, error) {
		r.Promote()
		p.retarget(r.At(w.dsn))
		p.cut()
		return true, nil
	})
	var lost *pg.LostError
	if !errors.As(err, &lost) || !lost.CommitUnknown || db.RetryStats().Unknown != 1 {
		t.Errorf("got %v", err)
	}
}
