package promises_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/chaos"
	"github.com/slipstream-go/slipstream/internal/devdb"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// couple are two servers of which one is the primary. Each can be made the other's standby.
type couple struct {
	t       *testing.T
	dirs    [2]string
	servers [2]*devdb.Cluster
	primary int
}

func marry(t *testing.T) *couple {
	t.Helper()
	c := &couple{t: t}
	for i := range c.dirs {
		dir, err := os.MkdirTemp("", "slipstream-test-*")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o711); err != nil { // for another system user to pass through
			t.Fatal(err)
		}
		c.dirs[i] = dir
		t.Cleanup(func() { _ = devdb.Remove(context.Background(), dir, slog.New(slog.DiscardHandler)) })
	}
	c.start(0, nil)
	c.start(1, c.servers[0])
	return c
}

// start starts a server, in the state in which it was stopped; a new one with a primary as its standby.
func (c *couple) start(i int, primary *devdb.Cluster) {
	c.t.Helper()
	server, err := devdb.Start(c.t.Context(), devdb.Options{
		Dir: c.dirs[i], Primary: primary, Logger: slog.New(slog.DiscardHandler),
		Settings: map[string]string{"fsync": "off", "shared_buffers": "16MB", "max_connections": "50"},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.servers[i] = server
	c.t.Cleanup(func() { _ = server.Stop(context.Background()) })
}

func (c *couple) dsn(i int) string { return c.servers[i].DSN("postgres") }

// hosts is the connection string of both for a user.
func (c *couple) hosts(user string) string {
	c.t.Helper()
	var hosts, ports []string
	for i := range c.servers {
		u, err := url.Parse(c.dsn(i))
		if err != nil {
			c.t.Fatal(err)
		}
		hosts, ports = append(hosts, u.Query().Get("host")), append(ports, u.Query().Get("port"))
	}
	return fmt.Sprintf("postgres://%s@/postgres?host=%s&port=%s", user, strings.Join(hosts, ","), strings.Join(ports, ","))
}

// switchOver stops the primary, has the standby take over, and starts the other again as its standby. It returns when the
// new primary could write.
func (c *couple) switchOver() (promoted time.Time) {
	c.t.Helper()
	was, will := c.primary, 1-c.primary
	if err := c.servers[was].Stop(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	pgtest.Exec(c.t, c.dsn(will), "select pg_promote()")
	promoted = time.Now()
	u, err := url.Parse(c.dsn(will))
	if err != nil {
		c.t.Fatal(err)
	}
	data := filepath.Join(c.servers[was].Dir(), "data")
	auto, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer auto.Close()
	if _, err := fmt.Fprintf(auto, "primary_conninfo = 'host=%s port=%s user=postgres'\n", u.Query().Get("host"), u.Query().Get("port")); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.start(was, nil)
	c.primary = will
	return promoted
}

// streaming waits until the standby follows.
func (c *couple) streaming() {
	c.t.Helper()
	eventually(c.t, "the standby follows", func() bool {
		return pgtest.Value(c.t, c.dsn(c.primary), "select count(*) from pg_stat_replication where state = 'streaming' and application_name <> 'slipstream feed'") == "1"
	})
}

// serveCouple is a server, with its cache on, on both.
func serveCouple(t *testing.T) (*site, *couple) {
	t.Helper()
	c := marry(t)
	s := &site{t: t, dsn: c.dsn(0), login: "login", anon: "anon", member: "member"}
	s.exec("create role login login noinherit; create role anon; create role member; grant anon, member to login;" +
		"create schema api; grant usage on schema api to anon; create table api.registers (id int primary key, v int not null);" +
		"insert into api.registers select i, 0 from generate_series(1, 10) i; grant select, update on api.registers to anon")
	if err := feed.Install(t.Context(), s.dsn, s.login, nil); err != nil {
		t.Fatal(err)
	}
	s.config = slipstream.Config{
		DBURI: c.hosts("login"), DBSchemas: []string{"api"}, DBAnonRole: "anon", DBPool: 6, JWTSecret: jwtSecret,
		CacheMode: "wal", CacheMemory: 64 << 20, CacheStaleness: staleness, FailoverParkTime: time.Minute,
		ServerPort: slipstream.AnyPort, AdminServerPort: slipstream.NoPort, AccessLog: "off", Logger: slog.New(slog.DiscardHandler),
	}
	c.streaming()
	s.run()
	s.open()
	return s, c
}

// send is a write. The code is that of the error, or empty.
func (s *site) send(method, path, body string) (status int, code string, err error) {
	r, err := http.NewRequest(method, "http://"+s.Addr()+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if response.StatusCode >= http.StatusBadRequest {
		var envelope struct{ Code string }
		if json.Unmarshal(content, &envelope) != nil {
			return response.StatusCode, "no envelope", err
		}
		code = envelope.Code
	}
	return response.StatusCode, code, err
}

// switching counts what clients see of switchovers.
type switching struct {
	*site
	writes, reads, gaps, unknown, violations atomic.Int64
	resumed                                  atomic.Int64 // when a write was last acknowledged, in Unix nanoseconds
}

// use increases a register that nobody else writes, and reads it after each write.
func (w *switching) use(ctx context.Context, id int) {
	for v := 1; ctx.Err() == nil; v++ {
		status, code, err := w.send(http.MethodPatch, fmt.Sprintf("/registers?id=eq.%d", id), fmt.Sprintf(`{"v": %d}`, v))
		switch {
		case err == nil && status == http.StatusNoContent:
			w.writes.Add(1)
			w.resumed.Store(time.Now().UnixNano())
		case err == nil && code == "SLIP105":
			w.unknown.Add(1)
			continue // the next one decides
		default:
			w.violation("write %d: %d %s %v", v, status, code, err)
			continue
		}
		w.look(id, v)
	}
}

func (w *switching) look(id, v int) {
	a, err := w.try(fmt.Sprintf("/registers?select=v&id=eq.%d", id))
	switch {
	case err != nil || strings.Contains(a.body, "25006"):
		w.violation("read: %v %s", err, a.body)
	case a.StatusCode == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
		w.gaps.Add(1)
	case a.StatusCode != http.StatusOK:
		w.violation("read: %d %s", a.StatusCode, a.body)
	case a.body != fmt.Sprintf(`[{"v":%d}]`, v):
		w.violation("read %s (%s) after %d was acknowledged", a.body, a.Header.Get("Cache-Status"), v)
	default:
		w.reads.Add(1)
	}
}

func (w *switching) violation(format string, args ...any) {
	w.violations.Add(1)
	w.t.Errorf(format, args...)
}

// TestSwitchovers has two servers change places under load. No write fails, nothing is lost, nothing old is read, and nobody
// hears of a read-only transaction.
func TestSwitchovers(t *testing.T) {
	s, c := serveCouple(t)
	w := &switching{site: s}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for id := range 6 {
		all.Go(func() { w.use(ctx, 1+id) })
	}
	more := func() {
		goal := w.writes.Load() + int64(scale(50, 2000))
		eventually(t, "writes go on", func() bool { return w.writes.Load() >= goal })
	}
	more()
	longest := time.Duration(0)
	rounds := scale(2, 10)
	for range rounds {
		c.streaming()
		before := w.writes.Load()
		done := make(chan time.Duration)
		promoted := make(chan time.Time, 1)
		go func() {
			at := <-promoted
			for w.resumed.Load() < at.UnixNano() {
				time.Sleep(time.Millisecond)
			}
			done <- time.Since(at)
		}()
		promoted <- c.switchOver()
		longest = max(longest, <-done)
		more()
		s.open() // the cache follows, too
		if w.writes.Load() == before {
			t.Error("no write since")
		}
	}
	cancel()
	all.Wait()
	if full() && longest > time.Second {
		w.violation("writes went on %s after the promotion", longest)
	}
	record(t, "A7", fmt.Sprintf("%d switchovers; %d writes, of which %d of unknown outcome, and %d reads after their writes; %d reads were told to come back; writes went on within %s of the promotion",
		rounds, w.writes.Load(), w.unknown.Load(), w.reads.Load(), w.gaps.Load(), longest.Round(time.Millisecond)), int(w.violations.Load()))
}

// TestTransfers moves money by serializable transactions that get in each other's way.
func TestTransfers(t *testing.T) {
	s := bare(t, `
		create table accounts (id int primary key, amount int not null);
		insert into accounts select i, 100 from generate_series(1, 5) i;
		create function transfer(a int, b int) returns void language sql volatile security definer
			set default_transaction_isolation = 'serializable' set search_path = api as $$
			update accounts set amount = amount + case id when a then -1 else 1 end
			where id in (a, b) and a <> b and (select sum(amount) from accounts) = 500 $$;
		grant execute on function transfer to ANON`)
	s.config.CacheMode = "off"
	s.run()
	var done, refused, violations atomic.Int64
	var all sync.WaitGroup
	each := scale(40, 1000)
	for i := range 6 {
		all.Go(func() {
			for n := range each {
				status, code, err := s.send(http.MethodPost, "/rpc/transfer", fmt.Sprintf(`{"a": %d, "b": %d}`, 1+(i+n)%5, 1+(i+3*n+1)%5))
				switch {
				case err == nil && status < http.StatusMultipleChoices:
					done.Add(1)
				case err == nil && code == "40001": // three tries were not enough, or there is no budget left
					refused.Add(1)
				default:
					violations.Add(1)
					t.Errorf("%d %s %v", status, code, err)
				}
			}
		})
	}
	all.Wait()
	if sum := s.value("select sum(amount) from api.accounts"); sum != "500" {
		violations.Add(1)
		t.Errorf("the sum is %s", sum)
	}
	record(t, "A8", fmt.Sprintf("transfers: %d done, %d refused after the retries; the sum stays", done.Load(), refused.Load()), int(violations.Load()))
}

// TestCutCommits loses connections before and after COMMIT. What is answered as done is there once, what is answered as
// failed is not, and hardly ever is the answer that nobody knows.
func TestCutCommits(t *testing.T) {
	s := bare(t, "create table notes (n int); grant select, insert on notes to ANON")
	s.config.CacheMode = "off"
	config, err := pgconn.ParseConfig(s.config.DBURI)
	if err != nil {
		t.Fatal(err)
	}
	_, address := pgconn.NetworkAddress(config.Host, config.Port)
	proxy, err := chaos.ProxyConfig{Upstream: address, Protocol: chaos.PostgreSQL}.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	s.config.DBURI = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", config.User, proxy.Addr(), config.Database)
	s.run()
	if err := proxy.Set(
		chaos.Fault{Cut: &chaos.Point{Before: "Execute", SQL: "commit"}, Probability: 0.1},
		chaos.Fault{Cut: &chaos.Point{Before: "CommandComplete", Tag: "COMMIT"}, Probability: 0.1},
	); err != nil {
		t.Fatal(err)
	}
	var outcomes sync.Map // by number
	var all sync.WaitGroup
	each := scale(60, 2000)
	for i := range 4 {
		all.Go(func() {
			for n := range each {
				id := i*each + n
				status, code, err := s.send(http.MethodPost, "/notes", fmt.Sprintf(`{"n": %d}`, id))
				switch {
				case err != nil:
					t.Error(err)
				case status == http.StatusCreated:
					outcomes.Store(id, "done")
				case code == "SLIP105":
					outcomes.Store(id, "unknown")
				case status == http.StatusServiceUnavailable:
					outcomes.Store(id, "failed")
				default:
					t.Errorf("%d: %d %s", id, status, code)
				}
			}
		})
	}
	all.Wait()
	there := map[int]int{}
	for _, text := range strings.Fields(s.value("select coalesce(string_agg(n::text, ' '), '') from api.notes")) {
		var n int
		if _, err := fmt.Sscan(text, &n); err != nil {
			t.Fatal(err)
		}
		there[n]++
	}
	counts, violations := map[string]int{}, 0
	for id := range 4 * each {
		outcome, _ := outcomes.Load(id)
		text, _ := outcome.(string)
		counts[text]++
		if n := there[id]; n > 1 || text == "done" && n != 1 || text == "failed" && n != 0 {
			violations++
			t.Errorf("%d is there %d times, and was answered as %s", id, n, text)
		}
	}
	record(t, "A8", fmt.Sprintf("COMMITs that were cut, one in ten before and one in ten after: %d writes done, %d failed and may be sent again, %d of unknown outcome",
		counts["done"], counts["failed"], counts["unknown"]), violations)
}
