package slipstream_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/slipstream-go/slipstream"
)

// preRequestTables has a function that refuses those on a list, takes the tenant from a header, and takes on another role
// for one of them.
const preRequestTables = cachedTables + `
	create schema private; grant usage on schema private to ANON, MEMBER;
	create table private.blocked (who text primary key);
	grant select on private.blocked to ANON, MEMBER;
	create view blocked as select who from private.blocked where who <> '';
	create unlogged table blocked_once (name text);
	create table doc (id int primary key, tenant text, body text);
	insert into doc values (1, 'a', 'of a'), (2, 'b', 'of b');
	alter table doc enable row level security;
	create policy own on doc using (tenant = current_setting('app.tenant', true));
	create table staff (id int primary key, body text); insert into staff values (1, 'for staff');
	revoke all on staff from ANON;
	create function before() returns void language plpgsql as $$
	declare tenant text := coalesce(current_setting('request.headers')::json ->> 'x-tenant', '');
	begin
		if exists (select from api.blocked where who = coalesce(current_setting('request.jwt.claims')::json ->> 'sub', 'nobody')) then
			raise sqlstate 'PT403' using message = 'you are blocked';
		end if;
		if tenant = 'odd' then raise sqlstate 'PT406' using message = 'not for you'; end if;
		if tenant = 'slow' then perform pg_advisory_xact_lock(4711); end if;
		if tenant = 'staff' then set local role MEMBER; end if;
		perform set_config('app.tenant', tenant, true);
	end $$;`

func servePreRequest(t *testing.T, reads ...string) *site {
	t.Helper()
	return serveCached(t, preRequestTables, func(c *slipstream.Config) {
		c.DBPreRequest, c.DBPreRequestReads = "api.before", reads
		c.Relations = map[string]slipstream.RelationGuards{"item": {CachePublic: new(true)}}
	})
}

// declared is all that the function looks at.
var declared = []string{"request.headers.x-tenant", "request.jwt.claims.sub", "api.blocked"}

const tenantA, tenantB = "X-Tenant: a", "X-Tenant: b"

// Each gets what he would get without the cache, and those of whom the function sees the same share it.
func TestPreRequestDeclared(t *testing.T) {
	s := servePreRequest(t, declared...)
	ann := s.bearer(`"sub": "ann"`)
	for _, tc := range []struct {
		headers []string
		path    string
		status  int
		body    string
	}{
		{[]string{tenantA}, "/doc?select=body", 200, `[{"body":"of a"}]`},
		{[]string{tenantB}, "/doc?select=body", 200, `[{"body":"of b"}]`},
		{[]string{"X-Tenant: c"}, "/doc?select=body", 200, `[]`},
		{nil, "/doc?select=body", 200, `[]`},
		{[]string{tenantA, ann}, "/doc?select=body", 200, `[{"body":"of a"}]`},
		{[]string{"X-Tenant: staff"}, "/staff?select=body", 200, `[{"body":"for staff"}]`},
		{[]string{tenantA}, "/staff", 401, "*"},
		{[]string{"X-Tenant: odd"}, "/item", 406, "*"},
	} {
		if tc.status == 200 {
			s.hit(tc.path, tc.headers...).check(t, tc.status, tc.body)
		}
		for range 2 {
			kept := s.get(tc.path, tc.headers...)
			kept.check(t, tc.status, tc.body)
			if hit := strings.HasSuffix(kept.Header.Get("Cache-Status"), "hit"); hit != (tc.status == 200) {
				t.Errorf("%s %v: %s", tc.path, tc.headers, kept.Header.Get("Cache-Status"))
			}
		}
		s.get(tc.path, append(tc.headers, "Cache-Control: no-cache")...).check(t, tc.status, tc.body)
	}
	if control := s.get("/item").Header.Get("Cache-Control"); control != "no-cache" {
		t.Errorf("caches on the way, which know nothing of the tenants, may keep it: %s", control)
	}
	// What the function does not look at tells nobody apart.
	s.get("/doc?select=body", tenantA, "X-Else: 1", "Cookie: a=b").check(t, 200, `[{"body":"of a"}]`, "Cache-Status: Slipstream; hit")
	explained := s.explain("/doc", map[string]string{"X-Tenant": "a"})
	if got := strings.Join(explained.Caller, " "); !strings.Contains(got, "request.headers->x-tenant request.jwt.claims->sub") {
		t.Errorf("the key holds %s", got)
	}
	if got := strings.Join(explained.Tables, " "); !strings.Contains(got, "private.blocked") {
		t.Errorf("it depends on %s", got)
	}
}

// Who comes onto the list is refused at the next request, and let in as soon as he is off it.
func TestPreRequestTables(t *testing.T) {
	s := servePreRequest(t, declared...)
	const path = "/item?id=eq.1&select=name"
	ann, bob := s.bearer(`"sub": "ann"`), s.bearer(`"sub": "bob"`)
	for range 3 {
		s.hit(path, ann)
		s.hit(path, bob)
		s.exec("insert into private.blocked values ('ann')")
		s.settle()
		for range 3 {
			s.get(path, ann).check(t, 403, "*")
		}
		s.hit(path, bob)
		s.exec("delete from private.blocked")
		s.settle()
		s.get(path, ann).check(t, 200, `[{"name":"item 1"}]`)
	}
}

// The list changes after the function has looked at it and before the rows are read: they come with a snapshot that has seen
// the change, but the answer must not be kept.
func TestPreRequestReadsEarlierThanTheRows(t *testing.T) {
	s := servePreRequest(t, declared...)
	const path, slow = "/item?id=eq.2&select=name", "X-Tenant: slow"
	ann := s.bearer(`"sub": "ann"`)
	s.hit("/mark?select=n")
	conn, err := pgx.Connect(t.Context(), s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "select pg_advisory_lock(4711)"); err != nil {
		t.Fatal(err)
	}
	var late answer
	var asking sync.WaitGroup
	asking.Go(func() { late, err = s.try("GET", path, ann, slow) })
	eventually(t, "the function waits", func() bool {
		return s.value("select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())") == "1"
	})
	s.exec("insert into private.blocked values ('ann')")
	s.settle()
	if _, err := conn.Exec(t.Context(), "select pg_advisory_unlock(4711)"); err != nil {
		t.Fatal(err)
	}
	if asking.Wait(); err != nil {
		t.Fatal(err)
	}
	late.check(t, 200, `[{"name":"item 2"}]`, "Cache-Status: Slipstream; fwd=miss")
	s.get(path, ann, slow).check(t, 403, "*")
}

// What cannot be known is not kept, and it is said why.
func TestPreRequestThatIsNotKnown(t *testing.T) {
	for _, tc := range []struct {
		because string
		reads   []string
	}{
		{"calls the pre-request function, which is not declared: db-pre-request-reads says what it looks at", nil},
		{"calls the pre-request function, whose api.nope in db-pre-request-reads does not exist", []string{"api.nope", "api.blocked"}},
		{"calls the pre-request function, and blocked_once reads a table whose changes are not logged", []string{"api.blocked_once"}},
		{"", []string{"nothing"}},
	} {
		var log lockedBuffer
		s := serveCached(t, preRequestTables, func(c *slipstream.Config) {
			c.DBPreRequest, c.DBPreRequestReads, c.Logger = "api.before", tc.reads, slog.New(slog.NewTextHandler(&log, nil))
		})
		if tc.because == "" {
			s.hit("/item")
			continue
		}
		for range 2 {
			s.get("/item").check(t, 200, "*", `Cache-Status: Slipstream; fwd=bypass; detail="`+tc.because+`"`)
		}
		if e := s.explain("/item", nil); e.Kind != "pre-request" || e.Because != tc.because {
			t.Errorf("%s: %s", e.Kind, e.Because)
		}
		if logged := strings.Contains(log.String(), "relation=api.nope"); logged != strings.Contains(tc.because, "nope") {
			t.Errorf("log: %s", log.String())
		}
	}
}

// lockedBuffer can be written to by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestPreRequestReadsAreChecked(t *testing.T) {
	for _, tc := range []struct{ reads, problem string }{
		{"request.jwt.claims,request.jwt.claims.app.tenant,request.headers,request.headers.x-y,request.cookies,request.cookies.z,request.method,request.path,api.blocked", ""},
		{"nothing", ""},
		{"nothing,request.path", "db-pre-request-reads: nothing stands beside something; remove one of them"},
		{"request.query", `db-pre-request-reads: "request.query" is not what a request has`},
		{"request.headers.", `db-pre-request-reads: "request.headers." is not what a request has`},
		{"blocked", `db-pre-request-reads: "blocked" is neither a setting nor a relation`},
		{"api.", `db-pre-request-reads: "api." is neither a setting nor a relation`},
	} {
		c := slipstream.Config{DBURI: "postgres://x", DBSchemas: []string{"api"}, DBPreRequestReads: strings.Split(tc.reads, ",")}
		err := c.Validate()
		if tc.problem == "" && err != nil || tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)) {
			t.Errorf("%s: %v", tc.reads, err)
		}
	}
}
