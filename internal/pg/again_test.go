package pg_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
	"github.com/slipstream-go/slipstream/limit"
)

// reasons are how many transactions were done again in the end, by reason.
func reasons(db *pg.DB) map[string]uint64 {
	again := map[string]uint64{}
	for _, r := range db.RetryStats().ByReason {
		if n := r.Succeeded + r.Failed; n > 0 {
			again[r.Reason] = n
		}
	}
	return again
}

// TestSerializableTransactionsAreDoneAgain: money is moved around by transactions that each could break the sum.
func TestSerializableTransactionsAreDoneAgain(t *testing.T) {
	w := newWorld(t, "create table account (id int primary key, amount int); insert into account select i, 100 from generate_series(1, 4) i")
	pgtest.Exec(t, w.super, "grant select, update on account to "+w.ann)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 8, Retries: limit.NewRetryBudget(limit.RetryOptions{Burst: 10000, Tries: 100})})
	// What is moved depends on the sum, so that one after the other is the only right order.
	const move = `
with s as (select sum(amount) as all from account)
update account set amount = amount + case id when $1::int then -n else n end
from (select (s.all / 40)::int as n from s) m where id in ($1::int, $2::int)`
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 10 {
				tx := writer(w.ann)
				tx.Isolation = "serializable"
				from, to := 1+(i+n)%4, 1+(i+n+1)%4
				s := statement(move, fmt.Sprint(from), fmt.Sprint(to))
				if err := db.Write(t.Context(), tx, []pg.Statement{s}, &got{}, commit); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := pgtest.Value(t, w.super, "select sum(amount) from account"); got != "400" {
		t.Errorf("the sum is %s", got)
	}
	if got := reasons(db); got["conflict"] == 0 {
		t.Errorf("nothing was done again: %v", got)
	}
}

// raises is a function that raises an SQLSTATE the first few times that it is called, and returns how often it was called.
const raises = `
create sequence calls;
create function raises(state text, times int) returns bigint language plpgsql as $$
declare n bigint := nextval('calls');
begin
	if n <= times then raise exception using errcode = state, message = 'raised'; end if;
	return n;
end $$`

func TestWhatIsDoneAgain(t *testing.T) {
	for state, c := range map[string]struct{ write, read int }{
		"40001": {3, 3}, "40P01": {3, 3}, // three tries
		"25006": {1, 1}, "57P01": {1, 1}, "57P02": {1, 1}, "57P03": {1, 1}, "08006": {1, 1}, "08001": {1, 1}, // a function's word alone
		"57014": {1, 1}, "53300": {1, 1}, "55P03": {1, 1}, "23505": {1, 1},
	} {
		t.Run(state, func(t *testing.T) {
			w := newWorld(t, raises)
			pgtest.Exec(t, w.super, "grant usage on sequence calls to "+w.ann)
			p, dsn := newProxy(t, w.dsn)
			db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
			read(t, db, as(w.ann), "select 1")
			p.take()
			call := statement("select raises($1, 100)", state)
			if err := db.Write(t.Context(), writer(w.ann), []pg.Statement{call}, &got{}, commit); code(err) != state {
				t.Errorf("write: %v", err)
			}
			if got := calls(t, w); got != c.write {
				t.Errorf("write: called %d times", got)
			}
			tx := as(w.ann)
			tx.ReadWrite = true // or the sequence could not count
			if err := db.Read(t.Context(), tx, []pg.Statement{call}, &got{}); code(err) != state {
				t.Errorf("read: %v", err)
			}
			if got := calls(t, w); got != c.write+c.read {
				t.Errorf("read: called %d times", got-c.write)
			}
			if seen := p.take(); seen.opened != 0 {
				t.Errorf("%d connections were opened for it", seen.opened)
			}
		})
	}
}

func calls(t *testing.T, w world) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(pgtest.Value(t, w.super, "select case when is_called then last_value else 0 end from calls"), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAConflictThatEnds: the second try is answered as if it were the first.
func TestAConflictThatEnds(t *testing.T) {
	w := newWorld(t, raises)
	pgtest.Exec(t, w.super, "grant usage on sequence calls to "+w.ann)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	g := &got{}
	statements := []pg.Statement{statement("select 'before'"), statement("select raises('40001', 1)")}
	if err := db.Write(t.Context(), writer(w.ann), statements, g, commit); err != nil || len(g.rows) != 2 || g.rows[1][0] != "2" {
		t.Errorf("%v, %v", g.rows, err)
	}
	if err := db.Batch(t.Context(), limit.Ask{}, func(b *pg.Batch) error {
		pgtest.Exec(t, w.super, "select setval('calls', 1, false)")
		return b.Write(t.Context(), writer(w.ann), statements, &got{}, commit)
	}); code(err) != "40001" { // each time anew
		t.Errorf("batch: %v", err)
	}
	if got := calls(t, w); got != 1 {
		t.Errorf("%d calls", got)
	}
}

// A client that has got a part of the answer cannot be given it again.
func TestAConflictAfterThat(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	pgtest.Exec(t, w.super, "create function late() returns int language plpgsql as $$ begin raise serialization_failure; end $$")
	s := &breaking{}
	err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement("select id from item"), statement("select late()")}, s)
	if code(err) != "40001" || s.rows != 0 || s.restarts != 1 { // it has said no, and forgotten what it had
		t.Errorf("%v after %d rows and %d restarts", err, s.rows, s.restarts)
	}
}

// An empty budget leaves each request its first try.
func TestWithoutABudget(t *testing.T) {
	w := newWorld(t, raises)
	pgtest.Exec(t, w.super, "grant usage on sequence calls to "+w.ann)
	budget := limit.NewRetryBudget(limit.RetryOptions{Burst: 1, Min: 1, Ratio: 0.001})
	for budget.Retry(1) { // which spends it
	}
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Retries: budget})
	call := statement("select raises('40001', 1)")
	if err := db.Write(t.Context(), writer(w.ann), []pg.Statement{call}, &got{}, commit); code(err) != "40001" {
		t.Errorf("got %v", err)
	}
	if got := db.RetryStats().ByReason[0]; got.Denied != 1 || got.Succeeded+got.Failed != 0 {
		t.Errorf("%+v", got)
	}
}

// TestAServerThatIsFull refuses, and is not asked again.
func TestAServerThatIsFull(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	pgtest.Exec(t, w.super, "alter role "+w.login+" connection limit 0")
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	_, err := tryRead(t.Context(), db, as(w.ann), "select 1")
	var refused *pg.ConnectError
	if !errors.As(err, &refused) || !pg.Overloaded(err) || p.take().opened != 1 {
		t.Errorf("got %v", err)
	}
	if pg.Overloaded(errors.New("else")) || pg.Overloaded(context.Canceled) {
		t.Error("anything is an overload")
	}
}
