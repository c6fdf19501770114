package pg_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// startCluster runs a server of the test's own.
func startCluster(t *testing.T, dir string) *devdb.Cluster {
	t.Helper()
	c, err := devdb.Start(t.Context(), devdb.Options{
		Dir: dir, Settings: map[string]string{"fsync": "off", "shared_buffers": "16MB", "max_wal_size": "100MB"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopCluster(t, c) })
	return c
}

func stopCluster(t *testing.T, c *devdb.Cluster) {
	t.Helper()
	if err := c.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// kill ends a process of the cluster without a warning.
func kill(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestReadsRecoverFromARestart(t *testing.T) {
	dir, err := os.MkdirTemp("", "slipstream-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := devdb.Remove(context.Background(), dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	cluster := startCluster(t, dir)
	p, dsn := newProxy(t, cluster.DSN("postgres"))
	const conns = 4
	db := run(t, pg.Options{DSN: dsn, MaxConns: conns, ApplicationName: "recovering"})
	restart := func() {
		stopCluster(t, cluster)
		cluster = startCluster(t, dir)
		p.retarget(cluster.DSN("postgres"))
	}
	for name, disaster := range map[string]func(){
		"fast restart": restart,
		"crash of a session": func() {
			pid := pgtest.Value(t, cluster.DSN("postgres"), "select pid from pg_stat_activity where application_name = 'recovering' limit 1")
			kill(t, pid)
			// The server ends all sessions, once it has noticed.
			eventually(t, "recovered", func() bool {
				g, err := tryRead(t.Context(), db, as("postgres"), "select count(*) from pg_stat_activity where pid = "+pid)
				return err == nil && g.rows[0][0] == "0"
			})
		},
		"crash of the server": func() {
			file, err := os.ReadFile(filepath.Join(cluster.Dir(), "data", "postmaster.pid"))
			if err != nil {
				t.Fatal(err)
			}
			pid, _, _ := strings.Cut(string(file), "\n")
			kill(t, pid)
			<-cluster.Done()
			restart()
		},
		"end of all sessions": func() {
			pgtest.Exec(t, cluster.DSN("postgres"), "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'recovering'")
		},
		"break of the network": p.cut,
	} {
		load := newLoad(t, db, as("postgres"), conns)
		load.until(100)
		disaster()
		load.until(100)
		load.stop()
		// What is in the pool is alive.
		for range conns {
			read(t, db, as("postgres"), "select 1")
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d reads failed", name, load.failed.Load())
	}
}

// load reads all the time. While the server is away it may fail as a lost or refused connection only.
type load struct {
	t              testing.TB
	served, failed atomic.Int64
	stop           func()
}

func newLoad(t *testing.T, db *pg.DB, tx *pg.Tx, readers int) *load {
	l := &load{t: t}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, err := tryRead(t.Context(), db, tx, "select 1")
				var lost *pg.LostError
				var refused *pg.ConnectError
				switch {
				case err == nil:
					l.served.Add(1)
				case errors.As(err, &lost), errors.As(err, &refused):
					l.failed.Add(1)
				default:
					t.Errorf("a read fails with %T %v", err, err)
				}
			}
		})
	}
	l.stop = func() { cancel(); wg.Wait() }
	return l
}

// until waits for so many more reads.
func (l *load) until(more int64) {
	goal := l.served.Load() + more
	eventually(l.t, "served", func() bool { return l.served.Load() >= goal })
}

func TestADeadConnectionCostsNoRead(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	const conns = 3
	db := run(t, pg.Options{DSN: dsn, MaxConns: conns})
	fill(t, db, w, conns)
	terminate := "select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = '" + w.login + "'"
	for _, end := range []func(){p.cut, func() { pgtest.Exec(t, w.super, terminate) }} {
		for what, use := range map[string]func() error{
			"read": func() error {
				_, err := tryRead(t.Context(), db, as(w.ann), "select 1")
				return err
			},
			"ping": func() error { return db.Ping(t.Context()) },
			"transaction": func() error {
				return db.Transact(t.Context(), as(w.ann), func(pg.PgxTx) error { return nil })
			},
			"catalog": func() error { return db.Catalog(t.Context(), func(pg.Querier) error { return nil }) },
		} {
			fill(t, db, w, conns)
			end()
			if err := use(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			eventually(t, "rid of the dead ones after a "+what, func() bool {
				s := db.Stats()
				return s.Total == 1 && s.Idle == 1
			})
		}
	}
}

// TestALateLoserLeavesTheNewConnectionsAlone: one of two that died together shows it only when the other is replaced.
func TestALateLoserLeavesTheNewConnectionsAlone(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 2})
	fill(t, db, w, 2)
	begun, replaced, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		s := &breaking{restart: true, at: func([][]byte) {
			close(begun)
			<-replaced
		}}
		ended <- db.Read(t.Context(), as(w.ann), []pg.Statement{statement("select repeat('x', 1000) from generate_series(1, 50000)")}, s)
	}()
	<-begun
	p.cut()
	read(t, db, as(w.ann), "select 1")
	p.take()
	close(replaced)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if seen := p.take(); seen.opened != 0 {
		t.Errorf("%d more connections", seen.opened)
	}
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
	readOnAll(t, db, w, conns, statement("select 1"))
}

// readOnAll reads on all connections of the pool at the same time.
func readOnAll(t *testing.T, db *pg.DB, w world, conns int, statements ...pg.Statement) {
	t.Helper()
	var all, wg sync.WaitGroup
	all.Add(conns)
	for range conns {
		wg.Go(func() {
			arrive := sync.OnceFunc(all.Done)
			g := &got{onRow: func() error { arrive(); all.Wait(); return nil }}
			if err := db.Read(t.Context(), as(w.ann), statements, g); err != nil {
				t.Error(err)
			}
			arrive()
		})
	}
	wg.Wait()
}

// TestALostWriteIsNotTriedAgain: nobody knows whether it was committed.
func TestALostWriteIsNotTriedAgain(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	read(t, db, as(w.ann), "select 1")
	tx := as(w.ann)
	tx.ReadWrite = true
	p.cut()
	_, err := tryRead(t.Context(), db, tx, "insert into item values (5001) returning id")
	var lost *pg.LostError
	if !errors.As(err, &lost) {
		t.Errorf("got %v", err)
	}
	if got := value(t, db, tx, "insert into item values (5001) returning id"); got != "5001" {
		t.Error(got)
	}
}

// TestABrokenReadBeginsAnewIfItsSinkCan: a session that ends among its rows.
func TestABrokenReadBeginsAnewIfItsSinkCan(t *testing.T) {
	w := newWorld(t)
	db := run(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	// More than the kernels buffer, so that the server is still at it.
	const sql = "select pg_backend_pid(), repeat('x', 1000) from generate_series(1, 50000)"
	var lost *pg.LostError
	breakOnce := func() func([][]byte) {
		return func(v [][]byte) { pgtest.Exec(t, w.super, "select pg_terminate_backend("+string(v[0])+", 10000)") }
	}
	s := &breaking{at: breakOnce(), restart: true}
	if err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement(sql)}, s); err != nil || s.rows != 50000 || s.restarts != 1 {
		t.Errorf("%v after %d rows and %d restarts", err, s.rows, s.restarts)
	}
	s = &breaking{at: breakOnce()}
	if err := db.Read(t.Context(), as(w.ann), []pg.Statement{statement(sql)}, s); !errors.As(err, &lost) || s.restarts != 1 {
		t.Errorf("%v after %d restarts", err, s.restarts)
	}
}

// breaking is a sink that does something at the first row.
type breaking struct {
	at             func([][]byte)
	restart        bool
	rows, restarts int
}

func (b *breaking) Columns(int, []string) error { return nil }

func (b *breaking) Row(_ int, values [][]byte) error {
	b.rows++
	if b.at != nil {
		b.at(values)
		b.at = nil
	}
	return nil
}

func (b *breaking) Restart() bool {
	b.rows = 0
	b.restarts++
	return b.restart
}

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
	db := run(t, pg.Options{DSN: dsn, MaxConns: 5, ConnectTimeout: 50 * time.Millisecond})
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
