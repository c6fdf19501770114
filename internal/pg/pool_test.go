package pg_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/pg"
)

func TestAcquireTimeout(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, AcquireTimeout: time.Millisecond})
	err := db.Transact(t.Context(), as(w.ann), func(pg.PgxTx) error {
		if _, err := tryRead(t.Context(), db, as(w.ann), "select 1"); !errors.Is(err, pg.ErrAcquireTimeout) {
			t.Errorf("got %v", err)
		}
		if s := db.Stats(); s.Timeouts != 1 || s.Waiting != 0 || s.InUse != 1 || s.Max != 1 {
			t.Errorf("%+v", s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	read(t, db, as(w.ann), "select 1")
}

func TestWaitingForAConnectionEndsWithTheContext(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, AcquireTimeout: time.Hour})
	err := db.Transact(t.Context(), as(w.ann), func(pg.PgxTx) error {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := tryRead(ctx, db, as(w.ann), "select 1")
			ended <- err
		}()
		eventually(t, "waiting", func() bool { return db.Stats().Waiting == 1 })
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAServerThatIsAwayIsNotStormed: callers get an error at once, and few of them try to connect.
func TestAServerThatIsAwayIsNotStormed(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 5, ConnectTimeout: time.Second})
	p.freeze(true)
	refused := func() {
		t.Helper()
		_, err := tryRead(t.Context(), db, as(w.ann), "select 1")
		var unreachable *pg.ConnectError
		if !errors.As(err, &unreachable) || unreachable.Err == nil {
			t.Errorf("got %v", err)
		}
	}
	refused()
	for range 5000 {
		refused()
	}
	if n := p.accepted(); n > 100 {
		t.Errorf("%d connections for 5001 reads", n)
	}
	p.freeze(false)
	eventually(t, "back", func() bool {
		_, err := tryRead(t.Context(), db, as(w.ann), "select 1")
		return err == nil
	})
	// It is open for all again.
	fill(t, db, w, 5)
}

func TestConnectionsAreRecycled(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1, MaxLifetime: time.Millisecond})
	first := value(t, db, as(w.ann), "select pg_backend_pid()")
	eventually(t, "another connection", func() bool { return value(t, db, as(w.ann), "select pg_backend_pid()") != first })
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 3, MaxIdle: time.Millisecond})
	fill(t, db, w, 3)
	eventually(t, "empty", func() bool { return db.Stats().Total == 0 })
}

func TestRunEndsAfterTheRequestsInFlight(t *testing.T) {
	w := newWorld(t)
	db, err := pg.Open(pg.Options{DSN: w.dsn, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	eventually(t, "running", db.Running)
	begun, wg := make(chan struct{}), sync.WaitGroup{}
	release := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			g := &got{onRow: func() error { begun <- struct{}{}; <-release; return nil }}
			if err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement("select 1")}, g); err != nil {
				t.Errorf("in flight: %v", err)
			}
		})
	}
	<-begun
	<-begun
	waiting := make(chan error)
	go func() {
		_, err := tryRead(t.Context(), db, as(w.ann), "select 1")
		waiting <- err
	}()
	eventually(t, "waiting", func() bool { return db.Stats().Waiting == 1 })
	cancel()
	eventually(t, "closing", func() bool { return !db.Running() })
	select {
	case <-ended:
		t.Error("Run has ended before its requests")
	default:
	}
	if _, err := tryRead(t.Context(), db, as(w.ann), "select 1"); !errors.Is(err, pg.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	close(release)
	wg.Wait()
	if err := <-waiting; !errors.Is(err, pg.ErrClosed) {
		t.Errorf("waiting at the end: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	until(t, w.super, "select count(*) from pg_stat_activity where usename = '"+w.login+"'", "0")
}

func TestRenew(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	backend := value(t, db, as(w.ann), "select pg_backend_pid()")
	g := &got{onRow: func() error { db.Renew(); return nil }}
	if err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement("select pg_backend_pid()")}, g); err != nil || g.rows[0][0] != backend {
		t.Errorf("in use: %v, %v", g.rows, err)
	}
	if now := value(t, db, as(w.ann), "select pg_backend_pid()"); now == backend {
		t.Error("the connection stays")
	}
}

// fill opens all connections of the pool and leaves them idle.
func fill(t *testing.T, db *pg.DB, w world, conns int) {
	t.Helper()
	readOnAll(t, db, as(w.ann), conns, statement("select 1"))
}

// readOnAll reads on all connections of the pool at the same time.
func readOnAll(t *testing.T, db *pg.DB, tx *pg.Tx, conns int, statements ...pg.Statement) {
	t.Helper()
	var all, wg sync.WaitGroup
	all.Add(conns)
	for range conns {
		wg.Go(func() {
			arrive := sync.OnceFunc(all.Done)
			g := &got{onRow: func() error { arrive(); all.Wait(); return nil }}
			if err := db.Read(t.Context(), tx, statements, g); err != nil {
				t.Error(err)
			}
			arrive()
		})
	}
	wg.Wait()
}

// TestTheLogHasTheComingsAndGoings, and not each request that meets them.
func TestTheLogHasTheComingsAndGoings(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	var log bytes.Buffer
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	read(t, db, as(w.ann), "select 1")
	p.refuse(true)
	p.cut()
	before := p.accepted()
	eventually(t, "tried", func() bool {
		if _, err := tryRead(t.Context(), db, as(w.ann), "select 1"); err == nil {
			t.Error("a read without a server")
		}
		return p.accepted() > before+2 // pgx makes two connections of a failed attempt: it wants to cancel, too
	})
	p.refuse(false)
	eventually(t, "back", func() bool { return db.Ping(t.Context()) == nil })
	for _, line := range []string{`msg="database connection lost`, "takes no connections", "takes connections again"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("%d lines of %q in:\n%s", n, line, log.String())
		}
	}
}
