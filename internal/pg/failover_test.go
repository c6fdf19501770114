package pg_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// pair is a primary and its standby, of the test's own.
type pair struct {
	t       *testing.T
	dir     string
	primary *devdb.Cluster
	standby *pgtest.Replica
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, dir: clusterDir(t)}
	p.primary = startCluster(t, devdb.Options{Dir: p.dir})
	pgtest.Exec(t, p.primary.DSN("postgres"), "create table note (n int)")
	p.standby = pgtest.StandbyOf(t, p.primary)
	p.settle()
	return p
}

// settle waits until the standby has all that the primary has.
func (p *pair) settle() {
	p.t.Helper()
	end := pgtest.Value(p.t, p.primary.DSN("postgres"), "select pg_current_wal_flush_lsn()")
	eventually(p.t, "caught up", func() bool {
		return pgtest.Value(p.t, p.standby.DSN("postgres"), "select pg_last_wal_replay_lsn() >= $1::pg_lsn", end) == "t"
	})
}

// dsn names both.
func (p *pair) dsn() string {
	return severalHosts(p.t, p.primary.DSN("postgres"), p.standby.DSN("postgres"))
}

// severalHosts joins the hosts of connection strings.
func severalHosts(t *testing.T, dsns ...string) string {
	t.Helper()
	var hosts, ports []string
	for _, dsn := range dsns {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		if u.Host != "" {
			hosts, ports = append(hosts, u.Hostname()), append(ports, u.Port())
			continue
		}
		hosts, ports = append(hosts, u.Query().Get("host")), append(ports, u.Query().Get("port"))
	}
	return "postgres://postgres@/postgres?sslmode=disable&host=" + strings.Join(hosts, ",") + "&port=" + strings.Join(ports, ",")
}

// stop ends the primary in good order; kill does not.
func (p *pair) stop() { stopCluster(p.t, p.primary) }

func (p *pair) kill() {
	p.t.Helper()
	file, err := os.ReadFile(filepath.Join(p.primary.Dir(), "data", "postmaster.pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	pid, _, _ := strings.Cut(string(file), "\n")
	kill(p.t, pid)
	<-p.primary.Done()
	p.stop()
}

// comeBack starts the old primary again, at the same address.
func (p *pair) comeBack() { p.primary = startCluster(p.t, devdb.Options{Dir: p.dir}) }

// demote has it come back as a standby of the new one.
func (p *pair) demote() {
	p.t.Helper()
	u, err := url.Parse(p.standby.DSN("postgres"))
	if err != nil {
		p.t.Fatal(err)
	}
	data := filepath.Join(p.primary.Dir(), "data")
	conninfo := fmt.Sprintf("primary_conninfo = 'host=%s port=%s user=postgres'\n", u.Query().Get("host"), u.Query().Get("port"))
	auto, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer auto.Close()
	if _, err := auto.WriteString(conninfo + "hot_standby = on\nmax_connections = 200\nmax_prepared_transactions = 10\n"); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o644); err != nil {
		p.t.Fatal(err)
	}
	p.comeBack()
}

func add(n int) pg.Statement { return statement("insert into note values ($1::int)", fmt.Sprint(n)) }

func note(ctx context.Context, db *pg.DB, n int) error {
	return db.Write(ctx, writer("postgres"), []pg.Statement{add(n)}, &got{}, commit)
}

// noting writes and reads all the time. What is acknowledged must be there in the end, once, and what fails must not.
type noting struct {
	t            *testing.T
	next         atomic.Int64
	acknowledged sync.Map
	unknown      sync.Map
	read         atomic.Int64
	stop         func()
}

func keepNoting(t *testing.T, db *pg.DB, writers int) *noting {
	l := &noting{t: t}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := int(l.next.Add(1))
				err := note(t.Context(), db, n)
				var lost *pg.LostError
				switch {
				case err == nil:
					l.acknowledged.Store(n, true)
				case errors.As(err, &lost) && lost.CommitUnknown:
					l.unknown.Store(n, true)
				default:
					t.Errorf("a write fails: %v", err)
				}
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			_, err := tryRead(t.Context(), db, as("postgres"), "select 1")
			var lost *pg.LostError
			var refused *pg.ConnectError
			switch {
			case err == nil:
				l.read.Add(1)
			case errors.As(err, &lost), errors.As(err, &refused):
			default:
				t.Errorf("a read fails with %v", err)
			}
		}
	})
	l.stop = func() { cancel(); wg.Wait() }
	return l
}

// written waits for so many more acknowledged writes.
func (l *noting) written(more int) {
	l.t.Helper()
	count := func() (n int) { l.acknowledged.Range(func(any, any) bool { n++; return true }); return n }
	goal := count() + more
	eventually(l.t, "written", func() bool { return count() >= goal })
}

// check compares with what is in the database.
func (l *noting) check(dsn string) {
	l.t.Helper()
	there := map[int]int{}
	for _, text := range strings.Fields(pgtest.Value(l.t, dsn, "select coalesce(string_agg(n::text, ' '), '') from note")) {
		var n int
		if _, err := fmt.Sscan(text, &n); err != nil {
			l.t.Fatal(err)
		}
		if there[n]++; there[n] > 1 {
			l.t.Errorf("%d was written twice", n)
		}
	}
	l.acknowledged.Range(func(n, _ any) bool {
		if there[n.(int)] == 0 {
			l.t.Errorf("%d was acknowledged, and is lost", n)
		}
		return true
	})
}

func TestASwitchover(t *testing.T) {
	p := newPair(t)
	var switched atomic.Int64
	db := run(t, pg.Options{DSN: p.dsn(), MaxConns: 4, ParkTime: time.Minute, ConnectTimeout: 10 * time.Second,
		Switched: func(pg.Primary) { switched.Add(1) }})
	load := keepNoting(t, db, 4)
	load.written(50)
	p.stop()
	p.standby.Promote()
	load.written(50)
	p.demote()
	load.written(50)
	// And back again.
	p.settleBack()
	p.standby.Stop()
	pgtest.Exec(t, p.primary.DSN("postgres"), "select pg_promote()")
	load.written(50)
	load.stop()
	load.check(p.primary.DSN("postgres"))
	now, switches := db.Primary()
	if now.Timeline != 3 || switches != 2 || switched.Load() != 2 {
		t.Errorf("%+v after %d switches, told of %d", now, switches, switched.Load())
	}
	if s := db.ParkStats(); s.Total == 0 || s.Now != 0 || s.Expired != 0 {
		t.Errorf("%+v", s)
	}
}

// settleBack waits until the old primary follows the new one.
func (p *pair) settleBack() {
	p.t.Helper()
	eventually(p.t, "following", func() bool {
		return pgtest.Value(p.t, p.standby.DSN("postgres"), "select count(*) from pg_stat_replication where state = 'streaming'") == "1"
	})
}

func TestAFailover(t *testing.T) {
	p := newPair(t)
	db := run(t, pg.Options{DSN: p.dsn(), MaxConns: 4, ParkTime: time.Minute, ConnectTimeout: 10 * time.Second})
	pgtest.Exec(t, p.primary.DSN("postgres"), "alter system set synchronous_standby_names = '*'", "select pg_reload_conf()")
	eventually(t, "synchronous", func() bool {
		return pgtest.Value(t, p.primary.DSN("postgres"), "select count(*) from pg_stat_replication where sync_state = 'sync'") == "1"
	})
	load := keepNoting(t, db, 4)
	load.written(20)
	p.kill()
	p.standby.Promote()
	pgtest.Exec(t, p.standby.DSN("postgres"), "alter system reset synchronous_standby_names", "alter system set synchronous_standby_names = ''", "select pg_reload_conf()")
	load.written(20)

	// It comes back as the primary that it was. Nobody goes to it, not even who starts now.
	p.comeBack()
	pgtest.Exec(t, p.primary.DSN("postgres"), "set synchronous_commit = local; delete from note")
	db.Renew()
	load.written(20)
	load.stop()
	load.check(p.standby.DSN("postgres"))
	late := run(t, pg.Options{DSN: p.dsn(), MaxConns: 1, ConnectTimeout: 10 * time.Second})
	if err := note(t.Context(), late, -1); err != nil {
		t.Error(err)
	}
	if now, _ := late.Primary(); now.Timeline != 2 {
		t.Errorf("%+v", now)
	}
	if got := pgtest.Value(t, p.primary.DSN("postgres"), "select count(*) from note"); got != "0" {
		t.Errorf("%s writes went to the old primary", got)
	}
}

// TestTwoPrimaries: the old one goes on, knowing nothing, and can be reached. What runs there ends, and nothing new begins.
func TestTwoPrimaries(t *testing.T) {
	p := newPair(t)
	db := run(t, pg.Options{DSN: p.dsn(), MaxConns: 2, ConnectTimeout: 10 * time.Second})
	if err := note(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	p.settle()
	where := make(chan error)
	go func() {
		// It would sleep for ten minutes, were it not for the end of its connection.
		_, err := tryRead(t.Context(), db, as("postgres"),
			"select pg_sleep(case (select timeline_id from pg_control_checkpoint()) when 1 then 600 else 0 end)")
		where <- err
	}()
	until(t, p.primary.DSN("postgres"), sleepers, "1")
	p.standby.Promote()
	pgtest.Exec(t, p.standby.DSN("postgres"), "checkpoint")
	if err := <-where; err != nil {
		t.Error(err)
	}
	if err := note(t.Context(), db, 2); err != nil {
		t.Error(err)
	}
	if got := pgtest.Value(t, p.primary.DSN("postgres"), "select count(*) from note"); got != "1" {
		t.Errorf("%s writes went to the old primary", got)
	}
	if err := db.Meet(0, 0); err != nil {
		t.Errorf("one that does not tell: %v", err)
	}
	now, _ := db.Primary()
	if db.Meet(now.System, 1) == nil || db.Meet(now.System, 2) != nil {
		t.Error("the old primary is met again")
	}
}

// TestAFrozenPrimary keeps who waits for it only until there is another one.
func TestAFrozenPrimary(t *testing.T) {
	p := newPair(t)
	frozen, through := newProxy(t, tcpOf(t, p.primary))
	db := run(t, pg.Options{DSN: severalHosts(t, through, p.standby.DSN("postgres")), MaxConns: 2, ParkTime: time.Minute, ConnectTimeout: 2 * time.Second})
	if err := note(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	p.settle()
	frozen.freeze(true)
	done := make(chan error)
	go func() { done <- note(t.Context(), db, 2) }()
	p.standby.Promote()
	if err := <-done; err != nil {
		t.Error(err)
	}
	frozen.freeze(false)
	if got := pgtest.Value(t, p.standby.DSN("postgres"), "select string_agg(n::text, ' ' order by n) from note"); got != "1 2" {
		t.Errorf("there is %s", got)
	}
}

// tcpOf is a connection string with a socket that proxies can reach.
func tcpOf(t *testing.T, c *devdb.Cluster) string {
	t.Helper()
	return c.DSN("postgres")
}

// TestWithoutAPrimary: some writes wait, and others get their answer at once.
func TestWithoutAPrimary(t *testing.T) {
	p := newPair(t)
	const most = 3
	db := run(t, pg.Options{DSN: p.dsn(), MaxConns: 1, ParkWrites: most, ParkTime: time.Minute, ConnectTimeout: 10 * time.Second})
	if err := note(t.Context(), db, 0); err != nil {
		t.Fatal(err)
	}
	p.settle()
	p.stop()
	ended := make(chan error)
	for n := range most {
		go func() { ended <- note(t.Context(), db, 1+n) }()
	}
	eventually(t, "parked", func() bool { return db.ParkStats().Now == most })
	if err := note(t.Context(), db, 100); !errors.Is(err, pg.ErrNoPrimary) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := tryRead(t.Context(), db, as("postgres"), "select 1"); !errors.Is(err, pg.ErrNoPrimary) {
		t.Errorf("a read: %v", err)
	}
	p.standby.Promote()
	for range most {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if s := db.ParkStats(); s.Now != 0 || s.Total != most || s.Full == 0 || s.Expired != 0 {
		t.Errorf("%+v", s)
	}
	p.standby.Stop()
	short := run(t, pg.Options{DSN: p.dsn(), MaxConns: 1, ParkTime: time.Millisecond})
	if err := note(t.Context(), short, 101); !errors.Is(err, pg.ErrNoPrimary) || short.ParkStats().Expired == 0 {
		t.Errorf("in vain: %v", err)
	}
}

// TestAHostThatLeadsElsewhere: behind one name there is a standby, and then the primary. That a pool has connections to the
// standby must not keep it from writing.
func TestAHostThatLeadsElsewhere(t *testing.T) {
	t.Setenv("DATABASE_URL", "")
	w := newWorld(t)
	r := pgtest.Standby(t)
	r.CatchUp()
	p, dsn := newProxy(t, r.At(w.dsn))
	db := run(t, pg.Options{DSN: dsn, MaxConns: 2})
	write := func() error {
		return db.Write(t.Context(), writer(w.ann), []pg.Statement{insert("5001")}, &got{}, commit)
	}
	read(t, db, as(w.ann), "select 1")
	if err := write(); code(err) != "25006" {
		t.Errorf("on a standby: %v", err)
	}
	opened := p.take().opened
	for range 20 { // the standby is not looked at for each
		_ = write()
	}
	if more := p.take().opened; more > opened+10 {
		t.Errorf("%d connections for writes that it refuses", more)
	}
	p.retarget(w.dsn)
	eventually(t, "written", func() bool { return write() == nil })
	if got := reasons(db)["demoted"]; got == 0 {
		t.Error("nothing was done again")
	}
	// A client's own read-only transaction proves nothing.
	tx := as(w.ann)
	if err := db.Write(t.Context(), tx, []pg.Statement{insert("5002")}, &got{}, commit); code(err) != "25006" {
		t.Errorf("read-only: %v", err)
	}
}

func TestWhoWantsAnyServer(t *testing.T) {
	p := newPair(t)
	standbyFirst := severalHosts(t, p.standby.DSN("postgres"), p.primary.DSN("postgres"))
	for suffix, recovering := range map[string]string{"": "f", "&target_session_attrs=primary": "f", "&target_session_attrs=any": "t"} {
		db := run(t, pg.Options{DSN: standbyFirst + suffix, MaxConns: 1, ConnectTimeout: 10 * time.Second})
		if got := value(t, db, as("postgres"), "select pg_is_in_recovery()"); got != recovering {
			t.Errorf("%q: recovering %s", suffix, got)
		}
	}
}

// TestALookoutFollowsThePrimary, too, while the old one goes on as if nothing had happened.
func TestALookoutFollowsThePrimary(t *testing.T) {
	p := newPair(t)
	db := run(t, pg.Options{DSN: p.dsn(), MaxConns: 2, ConnectTimeout: 10 * time.Second})
	if err := note(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	p.settle()
	kept := db.Lookout()
	defer kept.Close()
	if at, err := kept.Look(t.Context()); err != nil || at.Timeline != 1 {
		t.Fatalf("%+v, %v", at, err)
	}
	p.standby.Promote()
	eventually(t, "switched", func() bool { now, _ := db.Primary(); return now.Timeline == 2 })
	fresh := db.Lookout()
	defer fresh.Close()
	if at, err := fresh.Look(t.Context()); err != nil || at.Timeline != 2 {
		t.Errorf("a new one is at %+v, %v", at, err)
	}
	if at, err := kept.Look(t.Context()); err == nil {
		t.Errorf("the old primary is believed: %+v", at)
	}
	if at, err := kept.Look(t.Context()); err != nil || at.Timeline != 2 {
		t.Errorf("%+v, %v", at, err)
	}
}

// TestAConnectionThatComesTooLate: the primary becomes another one after a server was admitted, and before its connection is in
// the pool. Nothing of it is kept.
func TestAConnectionThatComesTooLate(t *testing.T) {
	w := newWorld(t)
	db, err := pg.Open(pg.Options{DSN: w.dsn, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	db.OnceAdmitted(func() {
		now, _ := db.Primary()
		if err := db.Meet(now.System, now.Timeline+1); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- db.Run(ctx) }()
	eventually(t, "running", db.Running)
	if _, err := tryRead(t.Context(), db, as(w.ann), "select 1"); err == nil {
		t.Error("it is used")
	}
	if n := db.Open(); n != 0 {
		t.Errorf("%d connections are kept", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAParkedWriteWhoseClientLeaves costs others no retry, and leaves its place at once.
func TestAParkedWriteWhoseClientLeaves(t *testing.T) {
	p := newPair(t)
	db := run(t, pg.Options{DSN: p.dsn(), MaxConns: 1, ParkTime: time.Minute, ConnectTimeout: 10 * time.Second})
	if err := note(t.Context(), db, 0); err != nil {
		t.Fatal(err)
	}
	p.settle()
	p.stop()
	eventually(t, "without a primary", func() bool { now, _ := db.Primary(); return now.Host == "" })
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- note(ctx, db, 1) }()
	eventually(t, "parked", func() bool { return db.ParkStats().Now == 1 })
	before := db.RetryStats() // a connection that was lost may have cost one
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after := db.RetryStats(); after.Spent != before.Spent || after.Denied != before.Denied {
		t.Errorf("%+v, before %+v", after, before)
	}
	if s := db.ParkStats(); s.Now != 0 || s.Expired != 0 {
		t.Errorf("%+v", s)
	}
	p.standby.Promote()
	if err := note(t.Context(), db, 2); err != nil {
		t.Error(err)
	}
	if got := pgtest.Value(t, p.standby.DSN("postgres"), "select string_agg(n::text, ' ' order by n) from note"); got != "0 2" {
		t.Errorf("there is %s", got)
	}
}

// TestAPrimaryThatIsFull refuses for want of connections: it stays the primary, nobody waits, and it is not asked for each.
func TestAPrimaryThatIsFull(t *testing.T) {
	p := newPair(t)
	pgtest.Exec(t, p.primary.DSN("postgres"), "create role app login", "grant insert on note to app")
	p.settle()
	u, err := url.Parse(p.dsn())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User("app")
	db := run(t, pg.Options{DSN: u.String(), MaxConns: 1, ParkTime: time.Minute, ConnectTimeout: 10 * time.Second})
	write := func(n int) error {
		return db.Write(t.Context(), writer("app"), []pg.Statement{add(n)}, &got{}, commit)
	}
	if err := write(1); err != nil {
		t.Fatal(err)
	}
	before := db.RetryStats()
	pgtest.Exec(t, p.primary.DSN("postgres"), "alter role app connection limit 0")
	db.Renew()
	var refused *pg.ConnectError
	if err := write(2); !errors.As(err, &refused) || !pg.Overloaded(err) || errors.Is(err, pg.ErrNoPrimary) {
		t.Errorf("got %v", err)
	}
	after := db.RetryStats()
	if s := db.ParkStats(); s.Total != 0 || after.Spent != before.Spent {
		t.Errorf("%+v, %+v, before %+v", s, after, before)
	}
	pgtest.Exec(t, p.primary.DSN("postgres"), "alter role app connection limit -1")
	eventually(t, "written", func() bool { return write(3) == nil })
	if now, switches := db.Primary(); now.Timeline != 1 || switches != 0 {
		t.Errorf("%+v after %d switches", now, switches)
	}
}
