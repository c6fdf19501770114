package pg_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// sleepers counts the statements of the test's database that sleep.
const sleepers = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"

// until waits for a value in the database.
func until(t testing.TB, dsn, sql, want string) {
	t.Helper()
	eventually(t, want+": "+sql, func() bool { return pgtest.Value(t, dsn, sql) == want })
}

func TestTheStatementOfACallerWhoLeavesIsCancelled(t *testing.T) {
	w := newWorld(t)
	for _, unprepared := range []bool{false, true} {
		db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, Unprepared: unprepared})
		backend := value(t, db, as(w.ann), "select pg_backend_pid()")
		for _, isolation := range []string{"", "serializable"} {
			tx := as(w.ann)
			tx.Isolation = isolation
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				_, err := tryRead(ctx, db, tx, "select pg_sleep(600)")
				ended <- err
			}()
			until(t, w.super, sleepers, "1")
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			until(t, w.super, sleepers, "0")
			if now := value(t, db, as(w.ann), "select pg_backend_pid()"); now != backend {
				t.Errorf("it costs the connection")
				backend = now
			}
		}
	}
}

func TestDeadline(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := tryRead(ctx, db, as(w.ann), "select pg_sleep(600)"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	until(t, w.super, sleepers, "0")
	if _, err := tryRead(ctx, db, as(w.ann), "select 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after its deadline: %v", err)
	}
}

// TestACancellationNeverHitsANeighbour lets reads be cancelled at every moment of their lives, over a few connections
// that they share with reads that nobody cancels.
func TestACancellationNeverHitsANeighbour(t *testing.T) {
	w := newWorld(t)
	t.Run("directly", func(t *testing.T) { interleaveCancellations(t, w, w.dsn) })
	t.Run("counted", func(t *testing.T) {
		p, dsn := newProxy(t, w.dsn)
		interleaveCancellations(t, w, dsn)
		seen := p.take()
		if seen.cancels < 100 {
			t.Errorf("only %d requests to cancel", seen.cancels)
		}
		if seen.opened > 3+seen.cancels/10 {
			t.Errorf("%d requests to cancel cost %d connections", seen.cancels, seen.opened-3)
		}
	})
}

func interleaveCancellations(t *testing.T, w world, dsn string) {
	const conns = 3
	db := run(t, pg.Options{DSN: dsn, MaxConns: conns, AcquireTimeout: time.Minute})
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			for range 100 {
				// From before the statement begins to after its end.
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(3*time.Millisecond))
				_, err := tryRead(ctx, db, as(w.bert), "select pg_sleep($1::float)", fmt.Sprint(rand.Float64()/500))
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("cancelled: %v", err)
				}
				cancel()
			}
		})
		wg.Go(func() {
			for i := range 300 {
				id := fmt.Sprint(1 + i)
				if g, err := tryRead(t.Context(), db, as(w.ann), "select id, current_user from item where id = $1::int", id); err != nil {
					t.Errorf("the neighbour: %v", err)
				} else if g.rows[0][0] != id || g.rows[0][1] != w.ann {
					t.Errorf("the neighbour gets %v", g.rows)
				}
			}
		})
	}
	wg.Wait()
}

// TestACancellationThatComesTooEarly has no effect: the server has not begun with the statement.
func TestACancellationThatComesTooEarly(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	db.SetCancelGrace(time.Minute)
	backend := value(t, db, as(w.ann), "select pg_backend_pid()")
	p.take()
	p.hold(sessions)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := tryRead(ctx, db, as(w.ann), "select pg_sleep(600)")
		ended <- err
	}()
	eventually(t, "sent", func() bool { return p.sent() > 0 })
	cancel()
	eventually(t, "cancelled", func() bool { return p.asked() > 0 })
	p.freeze(false)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	until(t, w.super, sleepers, "0")
	if now := value(t, db, as(w.ann), "select pg_backend_pid()"); now != backend {
		t.Errorf("it costs the connection")
	}
}

// TestACancellationThatMayStillCome must not find another statement on the connection.
func TestACancellationThatMayStillCome(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	db.SetCancelGrace(100 * time.Millisecond)
	backend := value(t, db, as(w.ann), "select pg_backend_pid()")
	p.hold(cancels)
	ctx, cancel := context.WithCancel(t.Context())
	g := &got{onRow: func() error {
		cancel()
		eventually(t, "cancelled", func() bool { return p.asked() > 0 })
		return nil
	}}
	if err := db.Read(ctx, as(w.ann), []pg.Statement{statement("select 1")}, g); err != nil {
		t.Errorf("it was complete: %v", err)
	}
	if now := value(t, db, as(w.ann), "select pg_backend_pid()"); now == backend {
		t.Errorf("the connection is used again")
	}
}

func TestABlackHoleHoldsNobodyForever(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 2})
	db.SetCancelGrace(50 * time.Millisecond)
	fill(t, db, w, 2)
	p.freeze(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error)
	go func() {
		_, err := tryRead(ctx, db, as(w.ann), "select 1")
		cancelled <- err
	}()
	expired, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := tryRead(expired, db, as(w.ann), "select 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("at its deadline: %v", err)
	}
	p.freeze(false)
	read(t, db, as(w.ann), "select 1")
}

// rowsThenSleep gives more rows than the server holds back, and does not end by itself.
var rowsThenSleep = []pg.Statement{
	statement("select repeat('x', 1000) from generate_series(1, 30)"), statement("select pg_sleep(600)"),
}

func TestASinkThatHasEnoughEndsTheStatement(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	backend := value(t, db, as(w.ann), "select pg_backend_pid()")
	enough := errors.New("enough")
	s := &sum{after: func(rows int) error {
		if rows == 3 {
			return enough
		}
		return nil
	}}
	err := db.Read(t.Context(), as(w.ann), rowsThenSleep, s)
	if !errors.Is(err, enough) || s.rows != 3 {
		t.Errorf("%v after %d rows", err, s.rows)
	}
	err = db.Read(t.Context(), as(w.ann), rowsThenSleep, &refusing{err: enough})
	if !errors.Is(err, enough) {
		t.Errorf("refused columns: %v", err)
	}
	if now := value(t, db, as(w.ann), "select pg_backend_pid()"); now != backend {
		t.Error("it costs the connection")
	}
}

// refusing is a sink that does not even want the columns.
type refusing struct {
	got
	err error
}

func (r *refusing) Columns(int, []string) error { return r.err }

func TestASinkThatHasEnoughGetsNoMore(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	enough := errors.New("enough")
	g := &got{onRow: func() error { return enough }}
	// All of the answer is there when the sink says so.
	err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement("select 1"), statement("select 2")}, g)
	if !errors.Is(err, enough) || len(g.columns) != 1 || len(g.rows) != 1 {
		t.Errorf("%v after %v, %v", err, g.columns, g.rows)
	}
}

func TestACallerWhoLeavesASinkThatHasEnough(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	db.SetCancelGrace(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	g := &got{onRow: func() error {
		cancel()
		eventually(t, "cancelled", func() bool { return p.asked() > 0 })
		return errors.New("enough")
	}}
	if err := db.Read(ctx, as(w.ann), rowsThenSleep, g); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	read(t, db, as(w.ann), "select 1")
}

func TestASinkThatPanics(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	for _, isolation := range []string{"", "repeatable read"} {
		tx := as(w.ann)
		tx.Isolation = isolation
		func() {
			defer func() {
				if r := recover(); r != "oh" {
					t.Errorf("recovered %v", r)
				}
			}()
			g := &got{onRow: func() error { panic("oh") }}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_ = db.Read(ctx, tx, rowsThenSleep, g)
		}()
		if got := value(t, db, as(w.bert), "select current_user"); got != w.bert {
			t.Error(got)
		}
	}
	if s := db.Stats(); s.InUse != 0 || s.Total != 1 {
		t.Errorf("%+v", s)
	}
	until(t, w.super, sleepers, "0")
}

// TestASinkThatPanicsAmongLargeStatements leaves both sides writing.
func TestASinkThatPanicsAmongLargeStatements(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	echo := statement("select $1::text from generate_series(1, 3)", strings.Repeat("x", 16<<20))
	func() {
		defer func() { _ = recover() }()
		_ = db.Read(t.Context(), as(w.ann), []pg.Statement{echo, echo}, &got{onRow: func() error { panic("oh") }})
	}()
	read(t, db, as(w.ann), "select 1")
}

// TestACancellationLeavesNoDeadline: the connection is as good as before.
func TestACancellationLeavesNoDeadline(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	db.SetCancelGrace(500 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	g := &got{onRow: func() error { cancel(); return nil }}
	if err := db.Read(ctx, as(w.ann), rowsThenSleep, g); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	backend := value(t, db, as(w.ann), "select pg_backend_pid()")
	if now := value(t, db, as(w.ann), "select pg_backend_pid() from pg_sleep(0.6)"); now != backend {
		t.Error("the connection is lost later")
	}
}

// TestLargeResultsTakeLittleMemory streams 256 MB.
func TestLargeResultsTakeLittleMemory(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	runtime.GC()
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak uint64
	s := &sum{after: func(rows int) error {
		if rows%8192 == 0 {
			runtime.ReadMemStats(&during)
			peak = max(peak, during.HeapInuse)
		}
		return nil
	}}
	const rows = 1 << 18
	err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement("select repeat('x', 1024) from generate_series(1, " + fmt.Sprint(rows) + ")")}, s)
	if err != nil || s.bytes != rows*1024 {
		t.Fatalf("%d bytes, %v", s.bytes, err)
	}
	if grown := int64(peak) - int64(before.HeapInuse); grown > 16<<20 {
		t.Errorf("%d MB more heap", grown>>20)
	}
}
