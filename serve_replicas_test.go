package slipstream_test

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

	"github.com/slipstream-go/slipstream"
	"github.com/slipstream-go/slipstream/chaos"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// replicaTables has views and functions that tell where they are run.
const replicaTables = cachedTables + `
	grant insert, update on item to ANON, MEMBER;
	create view whereabouts as select pg_is_in_recovery() as recovering;
	create function look() returns boolean language sql stable as $$ select pg_is_in_recovery() $$;
	create function peek() returns boolean language sql volatile as $$ select pg_is_in_recovery() $$;
	create function add(i int) returns int language sql volatile as $$ insert into api.item values (i, 'added') returning id $$;
	create unlogged table draft (id int primary key);
	insert into draft values (1);
	create function refuse(code text) returns int language plpgsql stable as $$ begin raise 'no' using errcode = code; end $$;
	create function strange() returns int language plpgsql stable as $$
		begin if pg_is_in_recovery() then raise 'conflict' using errcode = '40001'; end if; return 7; end $$;`

const (
	onReplica = `[{"recovering":true}]`
	onPrimary = `[{"recovering":false}]`
)

// reading is a server without a cache whose reads go to replicas.
func reading(t *testing.T, replicas []string, change ...func(*slipstream.Config)) *site {
	t.Helper()
	t.Setenv("DATABASE_URL", "") // the standbys are those of the tests' own server
	s := newSite(t, replicaTables)
	s.exec("alter database " + s.value("select current_database()") + " set synchronous_commit = on")
	s.config.CacheMode, s.config.DBPool = "off", 10
	for _, dsn := range replicas {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		own, _ := url.Parse(s.config.DBURI)
		u.User, u.Path = own.User, own.Path
		s.config.DBReplicas = append(s.config.DBReplicas, u.String())
	}
	for _, f := range change {
		f(&s.config)
	}
	s.run()
	s.ready()
	return s
}

// replicaIs waits until replica i is in a state for a reason.
func (s *site) replicaIs(i int, state, reason string) {
	s.t.Helper()
	var st slipstream.ReplicaStatus
	defer func() {
		if s.t.Failed() {
			s.t.Logf("%+v", st)
		}
	}()
	eventually(s.t, fmt.Sprintf("replica %d is %s: %s", i, state, reason), func() bool {
		st = s.ReplicaStatus()[i]
		return st.State == state && strings.Contains(st.Reason, reason)
	})
}

func (s *site) whereabouts(headers ...string) string {
	s.t.Helper()
	a := s.get("/whereabouts?select=recovering", headers...)
	if a.StatusCode != http.StatusOK {
		s.t.Errorf("%d %s", a.StatusCode, a.body)
	}
	return a.body
}

func TestReadsGoToReplicas(t *testing.T) {
	r := pgtest.Standby(t)
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) { c.DBPlanEnabled, c.DBAggregatesEnabled = true, true })
	r.CatchUp()
	s.replicaIs(0, "readable", "")
	for _, tc := range []struct {
		method, path, body string
		headers            []string
		replica            bool
	}{
		{"GET", "/whereabouts?select=recovering", "", nil, true},
		{"HEAD", "/whereabouts?select=recovering", "", nil, true},
		{"GET", "/whereabouts?select=recovering", "", []string{"Prefer: count=exact"}, true},
		{"GET", "/whereabouts?select=recovering", "", []string{"Accept: text/csv"}, true},
		{"GET", "/whereabouts?select=recovering", "", []string{"Accept: application/x-ndjson"}, true},
		{"GET", "/whereabouts?select=recovering", "", []string{"Cache-Control: max-age=60"}, true},
		{"GET", "/rpc/look", "", nil, true},

		{"GET", "/rpc/peek", "", nil, false},
		{"POST", "/rpc/look", "{}", nil, false},
		{"POST", "/rpc/peek", "{}", nil, false},
		{"GET", "/whereabouts?select=recovering", "", []string{"Prefer: read=primary"}, false},
		{"GET", "/whereabouts?select=recovering", "", []string{"Cache-Control: no-cache"}, false},
		{"GET", "/whereabouts?select=recovering", "", []string{"Cache-Control: max-age=0"}, false},
		{"GET", "/whereabouts?select=recovering", "", []string{"Consistency-Token: nonsense"}, false},
		{"POST", "/", `{"operations": [{"method": "GET", "path": "/whereabouts?select=recovering"}]}`, []string{"Content-Type: application/vnd.slipstream.batch+json"}, false},
		{"POST", "/", `{"transaction": false, "operations": [{"method": "GET", "path": "/whereabouts?select=recovering"}]}`,
			[]string{"Content-Type: application/vnd.slipstream.batch+json"}, false},
	} {
		before := s.ReplicaStatus()[0].Reads
		a := s.write(tc.method, tc.path, tc.body, tc.headers...)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s %s %s: %d %s", tc.method, tc.path, tc.headers, a.StatusCode, a.body)
		}
		if said := strings.Contains(a.body, "true") || strings.HasSuffix(a.body, "\nt"); tc.method != "HEAD" && said != tc.replica {
			t.Errorf("%s %s %s: %s", tc.method, tc.path, tc.headers, a.body)
		}
		if read := s.ReplicaStatus()[0].Reads > before; read != tc.replica {
			t.Errorf("%s %s %s: read from the replica: %t", tc.method, tc.path, tc.headers, read)
		}
	}
	s.get("/item?id=eq.1&select=id", "Prefer: read=primary, handling=strict").check(t, 200, `[{"id":1}]`, "Preference-Applied: handling=strict, read=primary")
	s.get("/item?id=eq.1", "Prefer: read=replica, handling=strict").check(t, 400, "*")
	// A role that asks for another isolation level.
	s.exec("alter role ANON set default_transaction_isolation = 'serializable'")
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.whereabouts(); got != onPrimary {
		t.Errorf("serializable: %s", got)
	}
}

func TestReplicaReadsSwitchedOff(t *testing.T) {
	r := pgtest.Standby(t)
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) { c.ReplicaReads = "off" })
	r.CatchUp()
	s.replicaIs(0, "readable", "")
	if got := s.whereabouts(); got != onPrimary {
		t.Error(got)
	}
}

// What no standby runs, and what only the replica does not know of yet, the primary answers.
func TestWhatReplicasCannotAnswer(t *testing.T) {
	r := pgtest.Standby(t)
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) { c.ReplicaMaxLag = time.Hour })
	r.CatchUp()
	s.replicaIs(0, "readable", "")
	for range 2 {
		s.get("/draft").check(t, 200, `[{"id":1}]`)
	}
	if st := s.ReplicaStatus()[0]; st.Reads != 1 {
		t.Errorf("an unlogged table was looked for %d times", st.Reads)
	}
	s.get("/rpc/strange").check(t, 200, "7")
	for code, status := range map[string]int{"22012": 400, "P0001": 400, "40001": 500, "42501": 401, "57P01": 503, "25006": 405} {
		if a := s.get("/rpc/refuse?code=" + code); a.StatusCode != status {
			t.Errorf("%s: %d %s", code, a.StatusCode, a.body)
		}
	}
	if st := s.ReplicaStatus()[0]; st.Ejections != 0 || st.State != "readable" {
		t.Errorf("what functions raise has ejected it: %+v", st)
	}
	r.Pause()
	s.exec("create table api.fresh (id int primary key); insert into api.fresh values (5)")
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.get("/fresh").check(t, 200, `[{"id":5}]`)
	r.Resume()
	r.CatchUp()
	before := s.ReplicaStatus()[0].Failures
	s.get("/fresh").check(t, 200, `[{"id":5}]`)
	if after := s.ReplicaStatus()[0].Failures; after != before {
		t.Error("it is not read from the replica")
	}
}

// Who has written sees it, by his identity on the same instance, and by a token on any; others may be answered by a replica
// that does not have it yet.
func TestOwnWritesAreSeenOnReplicas(t *testing.T) {
	r := pgtest.Standby(t)
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) { c.ReplicaMaxLag = time.Hour })
	other := *s // another instance
	other.run()
	other.ready()
	r.CatchUp()
	ann, bert := s.bearer(`"sub": "ann"`), s.bearer(`"sub": "bert"`)
	for _, instance := range []*site{s, &other} {
		instance.replicaIs(0, "readable", "")
	}
	price := func(s *site, id int, headers ...string) string {
		t.Helper()
		a := s.get(fmt.Sprintf("/item?id=eq.%d&select=price", id), headers...)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
		return a.body
	}
	before := price(s, 1, ann)
	r.Pause()
	s.write("PATCH", "/item?id=eq.2", `{"price": 4712}`, "X-Forwarded-For: 192.0.2.1").check(t, 204, "")
	written := s.write("PATCH", "/item?id=eq.1", `{"price": 4711}`, ann)
	written.check(t, 204, "")
	token := "Consistency-Token: " + written.Header.Get("Consistency-Token")
	const want = `[{"price":4711}]`
	for range 3 {
		for what, got := range map[string]string{
			"the writer": price(s, 1, ann), "the writer, elsewhere, with the token": price(&other, 1, ann, token),
			"anybody with the token": price(&other, 1, token),
		} {
			if got != want {
				t.Errorf("%s: %s", what, got)
			}
		}
		for what, got := range map[string]string{"somebody else": price(s, 1, bert), "on another instance": price(&other, 1, ann)} {
			if got != before {
				t.Errorf("%s: %s, not from the replica", what, got)
			}
		}
		if got := price(s, 2, "X-Forwarded-For: 192.0.2.1"); got != `[{"price":4712}]` {
			t.Errorf("without a token, from the same address: %s", got)
		}
		if got := price(s, 2, "X-Forwarded-For: 192.0.2.2"); got == `[{"price":4712}]` {
			t.Error("from another address it is read from the primary, too")
		}
	}
	if got := s.whereabouts(ann); got != onPrimary {
		t.Errorf("the writer is answered by the replica: %s", got)
	}
	r.Resume()
	r.CatchUp()
	eventually(t, "the replica answers the writer", func() bool { return s.whereabouts(ann) == onReplica && price(s, 1, ann) == want })
	eventually(t, "the replica answers who brings the token", func() bool { return other.whereabouts(token) == onReplica })
	// A replica that has it in a moment is waited for.
	for n := range 30 {
		if a := s.write("PATCH", "/item?id=eq.1", fmt.Sprintf(`{"price": %d}`, n), ann); a.StatusCode != http.StatusNoContent {
			t.Error(a.body)
		}
		if got := price(s, 1, ann); got != fmt.Sprintf(`[{"price":%d}]`, n) {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// A replica that lags, is no standby of ours, or is promoted is not read from.
func TestReplicasThatMustNotBeRead(t *testing.T) {
	r := pgtest.Standby(t)
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) { c.ReplicaMaxLag = 2 * time.Second })
	r.CatchUp()
	s.replicaIs(0, "readable", "")
	r.Pause()
	s.exec("update api.item set price = 99 where id = 3")
	s.replicaIs(0, "behind", "more than 2s")
	s.get("/item?id=eq.3&select=price").check(t, 200, `[{"price":99}]`)
	r.Resume()
	s.replicaIs(0, "readable", "")
	if got := s.whereabouts(); got != onReplica {
		t.Error(got)
	}
	// An idle primary's replica is not behind, however long ago the last transaction was.
	if lag := s.ReplicaStatus()[0].LagMilliseconds; lag < 0 || lag > 2000 {
		t.Errorf("%d ms behind", lag)
	}
	r.Promote()
	pgtest.Exec(t, r.At(s.dsn), "update api.item set name = 'of another history'")
	s.get("/item?name=eq.of%20another%20history").check(t, 200, "[]") // also before anybody has looked
	s.replicaIs(0, "foreign", "it is no standby")
	s.get("/item?name=eq.of%20another%20history").check(t, 200, "[]")
	if got := s.whereabouts(); got != onPrimary {
		t.Error(got)
	}
}

// A standby of a replica that was promoted is of the same system, and of another history.
func TestReplicaOfAnotherHistory(t *testing.T) {
	r := pgtest.Standby(t)
	s := reading(t, nil)
	r.CatchUp()
	r.Promote()
	of := *s
	of.config.DBReplicas = []string{pgtest.StandbyOf(t, r.Cluster).At(s.config.DBURI)}
	of.run()
	of.ready()
	of.replicaIs(0, "foreign", "timeline")
	if got := of.whereabouts(); got != onPrimary {
		t.Error(got)
	}
}

// A standby of an old primary that still runs has more of the log than the new one, and nothing of what is written there.
func TestReplicaOfAPrimaryThatOthersHaveGoneOnWithout(t *testing.T) {
	next, r := pgtest.Standby(t), pgtest.Standby(t)
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) {
		next.CatchUp()
		r.CatchUp()
		c.DBURI = severalHosts(t, c.DBURI, next.At(c.DBURI))
	})
	s.replicaIs(0, "readable", "")
	next.Promote()
	s.exec("select pg_logical_emit_message(false, 'test', repeat('x', 1000000))")
	r.CatchUp()
	id := 1000
	// Nobody goes on reading from it, neither before the first look at the new primary nor after it.
	for seen := 0; seen < 20; id++ {
		w := s.write("POST", "/item", fmt.Sprintf(`{"id": %d, "name": "new"}`, id))
		w.check(t, 201, "")
		if t.Failed() {
			return
		}
		path := fmt.Sprintf("/item?id=eq.%d&select=id", id)
		if pgtest.Value(t, next.At(s.dsn), fmt.Sprintf("select count(*) from api.item where id = %d", id)) == "0" {
			continue // the old one had it
		}
		seen++
		s.get(path).check(t, 200, fmt.Sprintf(`[{"id":%d}]`, id))
	}
	s.replicaIs(0, "foreign", "timeline")
}

// severalHosts joins the hosts of connection strings.
func severalHosts(t *testing.T, dsns ...string) string {
	t.Helper()
	var hosts, ports []string
	var all *url.URL
	for _, dsn := range dsns {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		host, port := u.Hostname(), u.Port()
		if host == "" {
			host, port = u.Query().Get("host"), u.Query().Get("port")
		}
		hosts, ports = append(hosts, host), append(ports, port)
		if all == nil {
			all = u
		}
	}
	q := all.Query()
	q.Set("host", strings.Join(hosts, ","))
	q.Set("port", strings.Join(ports, ","))
	all.Host, all.RawQuery = "", q.Encode()
	return all.String()
}

// proxied puts a proxy before a replica.
func proxied(t *testing.T, r *pgtest.Replica) (*chaos.Proxy, string) {
	t.Helper()
	u, err := url.Parse(r.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	upstream := u.Host
	if host := u.Query().Get("host"); filepath.IsAbs(host) {
		upstream = filepath.Join(host, ".s.PGSQL."+u.Query().Get("port"))
		if u.Query().Get("port") == "" {
			upstream += "5432"
		}
	}
	p, err := chaos.Listen("127.0.0.1:0", upstream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	_, port, _ := net.SplitHostPort(p.Addr())
	return p, "postgres://x@127.0.0.1:" + port + "/x?sslmode=disable"
}

// asking has clients read all the time, and counts what they got that was no answer.
func (s *site) asking(t *testing.T, clients int, path string) (stop func() (reads, failed int64)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var reads, failed atomic.Int64
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for ctx.Err() == nil {
				a, err := s.try(http.MethodGet, path)
				reads.Add(1)
				if err != nil || a.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Errorf("%v %v", err, a.body)
				}
			}
		})
	}
	return func() (int64, int64) {
		cancel()
		running.Wait()
		return reads.Load(), failed.Load()
	}
}

// Whatever happens to a replica, no client gets to know of it.
func TestReplicasInTrouble(t *testing.T) {
	one, two := pgtest.Standby(t), pgtest.Standby(t)
	p, through := proxied(t, one)
	s := reading(t, []string{through, two.DSN("postgres")})
	one.CatchUp()
	two.CatchUp()
	s.replicaIs(0, "readable", "")
	s.replicaIs(1, "readable", "")
	stop := s.asking(t, 3, "/whereabouts?select=recovering")
	defer stop()
	both := func() {
		t.Helper()
		for i := range 2 {
			s.replicaIs(i, "readable", "")
			before := s.ReplicaStatus()[i].Reads
			eventually(t, fmt.Sprintf("replica %d is read from", i), func() bool { return s.ReplicaStatus()[i].Reads > before })
		}
	}
	both()
	for what, fault := range map[string]chaos.Fault{
		"black hole": {Blackhole: &chaos.Point{}}, "reset": {Reset: &chaos.Point{}}, "refused": {Refuse: true},
	} {
		t.Log(what)
		if err := p.Set(fault); err != nil {
			t.Fatal(err)
		}
		if fault.Refuse {
			p.Cut()
		}
		s.replicaIs(0, "unreachable", "")
		if err := p.Set(); err != nil {
			t.Fatal(err)
		}
		s.replicaIs(0, "readable", "")
	}
	t.Log("stopped and started")
	two.Stop()
	s.replicaIs(1, "unreachable", "")
	two.Start()
	s.replicaIs(1, "readable", "")
	t.Log("frozen")
	signal(t, two, syscall.SIGSTOP)
	s.replicaIs(1, "unreachable", "")
	signal(t, two, syscall.SIGCONT)
	s.replicaIs(1, "readable", "")
	both()
	t.Log("killed, both")
	signal(t, two, syscall.SIGKILL)
	signal(t, one, syscall.SIGKILL)
	s.replicaIs(0, "unreachable", "")
	s.replicaIs(1, "unreachable", "")
	eventually(t, "the primary answers", func() bool { return s.whereabouts() == onPrimary })
	reads, failed := stop()
	t.Logf("%d reads, %d failed", reads, failed)
}

// A connection that was forgotten on the way does not hold a read for long, though looks by another one see the replica.
func TestReplicaConnectionThatIsDead(t *testing.T) {
	r := pgtest.Standby(t)
	p, through := proxied(t, r)
	s := reading(t, []string{through})
	r.CatchUp()
	s.replicaIs(0, "readable", "")
	next := p.Connections() + 1
	if got := s.whereabouts(); got != onReplica {
		t.Fatal(got)
	}
	if err := p.Set(chaos.Fault{Blackhole: &chaos.Point{}, Connections: chaos.Connections{Nth: next}}); err != nil {
		t.Fatal(err)
	}
	if got := s.whereabouts(); got != onPrimary {
		t.Error(got)
	}
	if st := s.ReplicaStatus()[0]; st.State != "readable" || st.Failures != 1 {
		t.Errorf("%+v", st)
	}
	if got := s.whereabouts(); got != onReplica {
		t.Error(got)
	}
}

// signal sends a signal to all processes of a server.
func signal(t *testing.T, r *pgtest.Replica, sig syscall.Signal) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(r.Dir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(content), &pid); err != nil {
		t.Fatal(err)
	}
	for _, process := range append(children(t, pid), pid) {
		_ = syscall.Kill(process, sig) // one may have ended by itself
	}
}

// children are the processes that a process has started.
func children(t *testing.T, pid int) (found []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		content, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(content), ") ")
		var state string
		var parent, child int
		if _, err := fmt.Sscan(rest, &state, &parent); err == nil && parent == pid {
			_, _ = fmt.Sscan(string(content), &child)
			found = append(found, child)
		}
	}
	return found
}

// A replica that is not there at the start, and comes later.
func TestReplicaThatComesLater(t *testing.T) {
	r := pgtest.Standby(t)
	r.CatchUp()
	r.Stop()
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) { c.AdminServerPort = slipstream.AnyPort })
	s.replicaIs(0, "unreachable", "")
	if got := s.whereabouts(); got != onPrimary {
		t.Error(got)
	}
	s.administered("/replicas", `"state":"unreachable","reason":"it cannot be looked at: `)
	s.administered("/metrics", `slipstream_replica_state{replica="`+s.ReplicaStatus()[0].Name+`",state="unreachable"} 1`,
		`slipstream_replica_fallbacks_total{reason="unreadable"} 1`)
	r.Start()
	r.CatchUp() // it is readable with a table too few
	s.replicaIs(0, "readable", "")
	if got := s.whereabouts(); got != onReplica {
		t.Error(got)
	}
	s.administered("/replicas", `"state":"readable","lagMilliseconds":`)
	s.administered("/metrics", `slipstream_replica_reads_total{replica="`+s.ReplicaStatus()[0].Name+`"} 1`)
}

// administered asks the admin server for a document that must have some texts in it.
func (s *site) administered(path string, texts ...string) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+s.AdminAddr()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.do(r)
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			s.t.Errorf("%s has no %s:\n%s", path, text, a.body)
		}
	}
}

// Without replicas to read from, the primary gets no more reads at a time than a part of its connections; the rest waits for a
// moment, and is then refused.
func TestReadsThatFallBackAreBounded(t *testing.T) {
	r := pgtest.Standby(t)
	r.CatchUp()
	r.Stop()
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) { c.DBPool = 10 })
	s.replicaIs(0, "unreachable", "")
	s.fallBack(t)
}

// What a replica does not know of, or has no right to, the primary is asked again, within the same bound.
func TestReadsThatReplicasCannotAnswerAreBounded(t *testing.T) {
	r := pgtest.Standby(t)
	s := reading(t, []string{r.DSN("postgres")}, func(c *slipstream.Config) { c.DBPool, c.ReplicaMaxLag = 10, time.Hour })
	r.CatchUp()
	s.replicaIs(0, "readable", "")
	s.fallBack(t)
}

// fallBack sends reads that the primary must do, which last until it has seen how many of them are under way at a time.
func (s *site) fallBack(t *testing.T) {
	t.Helper()
	s.exec("create function api.hold() returns int language plpgsql stable as $$ begin if pg_is_in_recovery() then raise 'no' using errcode = '42501'; end if; perform pg_advisory_lock_shared(42); perform pg_advisory_unlock_shared(42); return 1; end $$")
	if err := s.ReloadSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	blocker, err := pg.Connect(t.Context(), s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Close(context.Background()) }()
	if _, err := blocker.Exec(t.Context(), "select pg_advisory_lock(42)"); err != nil {
		t.Fatal(err)
	}
	answers := make(chan answer, 8)
	for range cap(answers) {
		go func() {
			a, err := s.try(http.MethodGet, "/rpc/hold")
			if err != nil {
				t.Error(err)
				a = answer{Response: &http.Response{}}
			}
			answers <- a
		}()
	}
	const held = "select count(*) from pg_stat_activity where wait_event = 'advisory' and datname = current_database()"
	for range cap(answers) - 3 {
		a := <-answers
		a.check(t, 503, "*", "Retry-After: 1")
		if !strings.Contains(a.body, "SLIP220") {
			t.Error(a.body)
		}
		if n := s.value(held); n > "3" {
			t.Errorf("%s are under way", n)
		}
	}
	if got := s.whereabouts("Prefer: read=primary"); got != onPrimary { // which is not bounded so
		t.Error(got)
	}
	if _, err := blocker.Exec(t.Context(), "select pg_advisory_unlock(42)"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a := <-answers
		a.check(t, 200, "1")
	}
}
