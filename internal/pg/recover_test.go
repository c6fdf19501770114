package pg_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// startCluster runs a server of the test's own.
func startCluster(t *testing.T, o devdb.Options) *devdb.Cluster {
	t.Helper()
	o.Settings = map[string]string{"fsync": "off", "shared_buffers": "16MB", "max_wal_size": "100MB"}
	c, err := devdb.Start(t.Context(), o)
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
	o := devdb.Options{Dir: clusterDir(t)}
	cluster := startCluster(t, o)
	p, dsn := newProxy(t, cluster.DSN("postgres"))
	const conns = 4
	db := run(t, pg.Options{DSN: dsn, MaxConns: conns, ApplicationName: "recovering"})
	restart := func() {
		stopCluster(t, cluster)
		cluster = startCluster(t, o)
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
