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

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// quickly runs a DB on whose connections everything with a pace may be shared.
func quickly(t *testing.T, o pg.Options) *pg.DB {
	db := run(t, o)
	db.SetQuick(time.Hour)
	return db
}

func readQuick(ctx context.Context, db *pg.DB, tx *pg.Tx, pace *pg.Pace, sql string, args ...string) (*got, error) {
	g := &got{}
	s := statement(sql, args...)
	s.Pace = pace
	return g, db.Read(ctx, tx, []pg.Statement{s}, g)
}

// crowd lets reads wait for the only connection, and then run. Each is begun when the one before it waits.
func crowd(t *testing.T, db *pg.DB, w world, reads ...func()) {
	t.Helper()
	var all sync.WaitGroup
	err := db.Transact(t.Context(), as(w.ann), func(pg.PgxTx) error {
		for i, f := range reads {
			all.Go(f)
			eventually(t, "waiting", func() bool { return db.Stats().Waiting == int64(i+1) })
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	all.Wait()
	// The pool closes a connection that was lost in a goroutine of its own.
	eventually(t, "idle", func() bool { s := db.Stats(); return s.Waiting == 0 && s.InUse == 0 })
}

// TestQuickReadsShareAConnection: many answers for one round trip, each under its own role, an error in one of them
// being nobody else's.
func TestQuickReadsShareAConnection(t *testing.T) {
	w := newWorld(t)
	p, dsn := newProxy(t, w.dsn)
	for _, warm := range []string{"cold", "warm"} {
		db := quickly(t, pg.Options{DSN: dsn, MaxConns: 1})
		const sql = "select $1::int / ($1::int - 13), current_user, current_setting('request.path')"
		if warm == "warm" {
			for _, role := range []string{w.ann, w.bert} {
				read(t, db, as(role, pg.Setting{Name: "request.path"}), sql, "1")
			}
		}
		var reads []func()
		for i := range 24 {
			role := []string{w.ann, w.bert}[i%2]
			reads = append(reads, func() {
				g, err := readQuick(t.Context(), db, as(role, pg.Setting{Name: "request.path", Value: fmt.Sprint("/", i)}), pg.Quick(), sql, fmt.Sprint(i))
				switch {
				case i == 13 && code(err) == "22012":
				case err != nil:
					t.Errorf("read %d: %v", i, err)
				case len(g.rows) != 1 || g.rows[0][0] != fmt.Sprint(i/(i-13)) || g.rows[0][1] != role || g.rows[0][2] != fmt.Sprint("/", i):
					t.Errorf("read %d of %s gets %v", i, role, g.rows)
				}
			})
		}
		reads = append(reads, func() { read(t, db, as(w.ann), "select 1") })
		p.take()
		crowd(t, db, w, reads...)
		if trips := p.take().trips; trips > 20 {
			t.Errorf("%s: %d round trips for 25 reads", warm, trips)
		}
	}
}

// TestOthersDoNotShare: what is slow, writes or does more than read keeps its connection to itself.
func TestOthersDoNotShare(t *testing.T) {
	w := newWorld(t, "create function first() returns void language sql return null")
	p, dsn := newProxy(t, w.dsn)
	db := run(t, pg.Options{DSN: dsn, MaxConns: 1})
	slow := pg.Quick()
	slow.Note(time.Second)
	write, first, isolated := as(w.ann), as(w.ann), as(w.ann)
	write.ReadWrite, first.PreRequest, isolated.Isolation = true, "first", "serializable"
	large := as(w.ann, pg.Setting{Name: "request.headers", Value: strings.Repeat("x", 4000)})
	for name, tx := range map[string]*pg.Tx{"slow": as(w.ann), "unknown": as(w.ann), "write": write, "pre-request": first, "isolated": isolated, "large": large} {
		pace := pg.Quick
		switch name {
		case "slow":
			pace = func() *pg.Pace { return slow }
		case "unknown":
			pace = func() *pg.Pace { return new(pg.Pace) }
		}
		one := func() {
			if _, err := readQuick(t.Context(), db, tx, pace(), "select 1"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		one()
		p.take()
		crowd(t, db, w, one, one, one, one, one, one)
		if trips := p.take().trips; trips < 6 {
			t.Errorf("%s: %d round trips for 6 reads", name, trips)
		}
	}
}

func TestPace(t *testing.T) {
	var p pg.Pace
	if p.Below(time.Hour) {
		t.Error("unknown, but quick")
	}
	p.Note(time.Millisecond)
	if !p.Below(4*time.Millisecond) || p.Below(time.Millisecond) {
		t.Error("one read is not its own average")
	}
	p.Note(time.Second)
	for range 25 {
		if p.Below(4 * time.Millisecond) {
			t.Fatal("a slow one is forgotten at once")
		}
		p.Note(time.Millisecond)
	}
	for range 100 {
		p.Note(time.Millisecond)
	}
	if !p.Below(4 * time.Millisecond) {
		t.Error("a slow one is never forgotten")
	}
}

// TestThoseWhoShareMayLeave: a read that waits for a lock holds up those behind it, but not against their will, and the
// loss of their connection costs none of them its answer.
func TestThoseWhoShareMayLeave(t *testing.T) {
	w := newWorld(t, "create table free (id int)", "grant select on free to public")
	for _, end := range []string{"unlock", "leave", "kill"} {
		t.Run(end, func(t *testing.T) {
			db := quickly(t, pg.Options{DSN: w.dsn, MaxConns: 1, AcquireTimeout: time.Hour})
			lock, err := pg.Connect(t.Context(), w.super)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lock.Close(context.Background()) }()
			if _, err := lock.Exec(t.Context(), "begin; lock table item in access exclusive mode"); err != nil {
				t.Fatal(err)
			}
			unlock := func() {
				if _, err := lock.Exec(t.Context(), "commit"); err != nil {
					t.Error(err)
				}
			}
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			left := make(chan error, 2)
			first := func() { // the one that waits for the lock
				_, err := readQuick(ctx, db, as(w.ann), pg.Quick(), "select count(*) from item")
				left <- err
			}
			second := func() { // is sent with it, and has not got its turn
				_, err := readQuick(ctx, db, as(w.ann), pg.Quick(), "select count(*) from item")
				left <- err
			}
			stays := func() {
				g, err := readQuick(t.Context(), db, as(w.bert), pg.Quick(), "select count(*), current_user from free")
				if err != nil || g.rows[0][1] != w.bert {
					t.Errorf("got %v, %v", g.rows, err)
				}
			}
			blocked := make(chan struct{})
			go func() {
				defer close(blocked)
				until(t, w.super, "select count(*)::text from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()", "1")
				switch end {
				case "unlock":
					unlock()
				case "leave":
					leave()
				case "kill":
					pgtest.Exec(t, w.super, "select pg_terminate_backend(pid, 10000) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")
					unlock()
				}
			}()
			crowd(t, db, w, first, second, stays, stays, stays)
			<-blocked
			for range 2 {
				switch err := <-left; {
				case end == "leave" && !errors.Is(err, context.Canceled), end != "leave" && err != nil:
					t.Errorf("ended with %v", err)
				}
			}
			if end == "leave" {
				unlock()
			}
			read(t, db, as(w.ann), "select count(*) from item")
		})
	}
}

// TestASessionThatIsAlteredIsNotShared: what is behind a function that changes how answers are written begins anew.
func TestASessionThatIsAlteredIsNotShared(t *testing.T) {
	w := newWorld(t)
	db := quickly(t, pg.Options{DSN: w.dsn, MaxConns: 1})
	alter := func() {
		if _, err := readQuick(t.Context(), db, as(w.ann), pg.Quick(), "select set_config('DateStyle', 'German', false)"); err != nil {
			t.Error(err)
		}
	}
	ask := func() {
		g, err := readQuick(t.Context(), db, as(w.ann), pg.Quick(), "select date '2026-11-21'")
		if err != nil || g.rows[0][0] != "2026-11-21" {
			t.Errorf("got %v, %v", g.rows, err)
		}
	}
	crowd(t, db, w, alter, ask, ask, alter, ask, ask, ask, alter, ask)
}

// TestSharingInACrowd lets reads that share be cancelled at every moment, over statements that grow stale, sinks that
// have enough and sessions that are ended.
func TestSharingInACrowd(t *testing.T) {
	w := newWorld(t, "create view changing as select id, name from item", "grant select on changing to public")
	db := quickly(t, pg.Options{DSN: w.dsn, MaxConns: 2, Statements: 4})
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := range 12 {
		role := []string{w.ann, w.bert}[i%2]
		all.Go(func() {
			for n := range 150 {
				id := fmt.Sprint(1 + n)
				g, err := readQuick(t.Context(), db, as(role), pg.Quick(), "select id, current_user from item where id = $1::int"+fmt.Sprintf("/* %d */", n%6), id)
				if err != nil || len(g.rows) != 1 || g.rows[0][0] != id || g.rows[0][1] != role {
					t.Errorf("got %v, %v", g.rows, err)
				}
			}
		})
		all.Go(func() {
			for range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(3*time.Millisecond))
				_, err := readQuick(ctx, db, as(role), pg.Quick(), "select pg_sleep($1::float)", fmt.Sprint(rand.Float64()/500))
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("cancelled: %v", err)
				}
				cancel()
				g := &got{onRow: func() error { return errEnough }}
				s := statement("select * from changing")
				s.Pace = pg.Quick()
				if err := db.Read(t.Context(), as(role), []pg.Statement{s}, g); !errors.Is(err, errEnough) {
					t.Errorf("enough: %v", err)
				}
			}
		})
	}
	changer := make(chan struct{})
	go func() {
		defer close(changer)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			pgtest.Exec(t, w.super, fmt.Sprintf("drop view changing; create view changing as select id, name, %d as n%d from item; grant select on changing to public", i, i%7))
		}
	}()
	all.Wait()
	close(stop)
	<-changer
	eventually(t, "idle", func() bool { return db.Stats().InUse == 0 })
	read(t, db, as(w.ann), "select 1")
}

var errEnough = errors.New("enough")
