package promises_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/chaos"
	"github.com/slipstream-go/slipstream/internal/loadtest"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

const replicasSchema = `create table docs (id int primary key, v int); insert into docs select g, 1 from generate_series(1, 1000) g;`

// readFrom is a server without a cache whose reads go to replicas.
func readFrom(t *testing.T, dsns ...string) *site {
	t.Helper()
	pgtest.Server(t)
	s := bare(t, replicasSchema)
	s.config.CacheMode, s.config.DBPool = "off", 10
	own, err := url.Parse(s.config.DBURI)
	if err != nil {
		t.Fatal(err)
	}
	for _, dsn := range dsns {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		u.User, u.Path = own.User, own.Path
		s.config.DBReplicas = append(s.config.DBReplicas, u.String())
	}
	s.run()
	return s
}

// readable waits until a replica is read from, or is not any more.
func (s *site) readable(i int, is bool) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("replica %d is readable: %t", i, is), func() bool {
		return (s.ReplicaStatus()[i].State == "readable") == is
	})
}

// beforeReplica puts a proxy before a replica, and returns where it is asked now.
func beforeReplica(t *testing.T, r *pgtest.Replica) (*chaos.Proxy, string) {
	t.Helper()
	u, err := url.Parse(r.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	port := u.Query().Get("port")
	if port == "" {
		port = "5432"
	}
	p, err := chaos.Listen("127.0.0.1:0", filepath.Join(u.Query().Get("host"), ".s.PGSQL."+port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	_, port, err = net.SplitHostPort(p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return p, "postgres://x@127.0.0.1:" + port + "/x?sslmode=disable"
}

// kill ends the first process of a server; the others notice.
func kill(t *testing.T, r *pgtest.Replica) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(r.Dir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(content), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// reads has clients read one after the other until stop, which tells how many answers there were, and how many of them were
// none.
func (s *site) reads(clients int) (stop func() (all, failed int64)) {
	ctx, cancel := context.WithCancel(context.Background())
	var all, failed atomic.Int64
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				a, err := s.try(fmt.Sprintf("/docs?id=eq.%d&select=v", 1+(n*clients+c)%1000))
				all.Add(1)
				if err != nil || a.StatusCode != http.StatusOK || a.body != `[{"v":1}]` {
					failed.Add(1)
					s.t.Logf("read %d: %v %s", n, err, a.body)
				}
			}
		})
	}
	return func() (int64, int64) {
		cancel()
		running.Wait()
		return all.Load(), failed.Load()
	}
}

// TestReplicaGone has replicas vanish while clients read: one is killed, the network to the other becomes a black hole.
func TestReplicaGone(t *testing.T) {
	holed, killed := pgtest.Standby(t), pgtest.Standby(t)
	p, through := beforeReplica(t, holed)
	s := readFrom(t, through, killed.DSN("postgres"))
	holed.CatchUp()
	killed.CatchUp()
	s.readable(0, true)
	s.readable(1, true)
	stop := s.reads(4)
	rounds := scale(1, 10)
	for range rounds {
		if err := p.Set(chaos.Fault{Blackhole: &chaos.Point{}}); err != nil {
			t.Fatal(err)
		}
		s.readable(0, false)
		if err := p.Set(); err != nil {
			t.Fatal(err)
		}
		s.readable(0, true)
	}
	kill(t, killed)
	s.readable(1, false)
	all, failed := stop()
	record(t, "A1", fmt.Sprintf("one of two replicas behind a black hole, %d times, and the other killed with SIGKILL: %d reads by 4 clients; those that failed are violations", rounds, all), int(failed))
}

// TestReplicaGoneUnderLoad judges times, too: the long form only.
func TestReplicaGoneUnderLoad(t *testing.T) {
	if !full() {
		t.Skip("measured with PROMISES=full")
	}
	holed, other := pgtest.Standby(t), pgtest.Standby(t)
	p, through := beforeReplica(t, holed)
	s := readFrom(t, through, other.DSN("postgres"))
	holed.CatchUp()
	other.CatchUp()
	s.readable(0, true)
	s.readable(1, true)
	const fault, since = 20 * time.Second, 2 * time.Second
	phases := []loadtest.Phase{
		{Name: "warm", Duration: 5 * time.Second, From: 200, To: 200, WarmUp: true},
		{Name: "before", Duration: 20 * time.Second, From: 200, To: 200},
		{Name: "at once", Duration: since, From: 200, To: 200},
		{Name: "after", Duration: fault - since, From: 200, To: 200},
	}
	go func() {
		time.Sleep(25 * time.Second)
		if err := p.Set(chaos.Fault{Blackhole: &chaos.Point{}}); err != nil {
			t.Error(err)
		}
	}()
	result, err := loadtest.Run(t.Context(), loadtest.Load{
		Target: &url.URL{Scheme: "http", Host: s.Addr()}, Source: docs{}, Phases: phases, Seed: seedOf(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	violations := int(result.Total.Due - result.Total.Good)
	if violations > 0 {
		t.Errorf("%d reads failed: %v", violations, result.Total.Errors)
	}
	p99 := func(i int) time.Duration {
		return time.Duration(result.Phases[i].Latency.ValueAtQuantile(99)) * time.Microsecond
	}
	if p99(3) > 2*p99(1) {
		violations++
		t.Errorf("p99 is %s, and was %s", p99(3), p99(1))
	}
	record(t, "A1", fmt.Sprintf("200 reads a second, open loop, as one of two replicas gets behind a black hole: %d reads, %d failed; p99 %s before, %s in the first 2 s, %s after",
		result.Total.Due, result.Total.Due-result.Total.Good, p99(1), p99(2), p99(3)), violations)
}

// docs is a loadtest.Source of reads.
type docs struct{}

func (docs) Shapes() []loadtest.Shape { return []loadtest.Shape{{Name: "docs"}} }

func (docs) Request(n uint64, r *loadtest.Request) {
	r.Shape, r.Method, r.Path = 0, http.MethodGet, fmt.Appendf(r.Path[:0], "/docs?id=eq.%d&select=v", 1+n%1000)
}

// TestReplicasAllGone has all replicas die while many read. The primary must not get more to do at a time than a part of its
// connections, and what it has no room for is refused with a time to come back.
func TestReplicasAllGone(t *testing.T) {
	one, two := pgtest.Standby(t), pgtest.Standby(t)
	s := readFrom(t, one.DSN("postgres"), two.DSN("postgres"))
	s.exec(`create function api.work(seconds float) returns int language plpgsql stable as $$ begin perform pg_sleep(seconds); return 1; end $$`)
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	one.CatchUp()
	two.CatchUp()
	s.readable(0, true)
	s.readable(1, true)
	kill(t, one)
	kill(t, two)
	s.readable(0, false)
	s.readable(1, false)
	var answered, refused, wrong, most atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range 30 {
		running.Go(func() {
			for ctx.Err() == nil {
				a, err := s.try("/rpc/work?seconds=0.05")
				switch {
				case err == nil && a.StatusCode == http.StatusOK:
					answered.Add(1)
				case err == nil && a.StatusCode == http.StatusServiceUnavailable && strings.Contains(a.body, "SLIP220") && a.Header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					wrong.Add(1)
					t.Logf("%v %s", err, a.body)
				}
			}
		})
	}
	watch := s.connect()
	for range scale(100, 2000) {
		var n int64
		const busy = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
		if err := watch.QueryRow(context.Background(), busy).Scan(&n); err != nil {
			t.Fatal(err)
		}
		most.Store(max(most.Load(), n))
		time.Sleep(10 * time.Millisecond)
	}
	// Who asks for the primary has its other connections.
	for range 20 {
		if a := s.get("/docs?id=eq.1", "Prefer: read=primary"); a.StatusCode != http.StatusOK {
			wrong.Add(1)
		}
	}
	cancel()
	running.Wait()
	if answered.Load() == 0 || most.Load() == 0 {
		t.Error("nothing was answered")
	}
	violations := wrong.Load()
	if most.Load() > 3 {
		violations++
	}
	record(t, "A2", fmt.Sprintf("both replicas killed while 30 clients read: %d reads were answered by the primary, with at most %d at a time in pg_stat_activity (3 are allowed), "+
		"%d refused with Retry-After; all other answers are violations", answered.Load(), most.Load(), refused.Load()), int(violations))
}
