package check_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipstream-go/slipstream/internal/check"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// fixture is a database with the roles of an API: what the options name is all in order.
type fixture struct {
	dsn                string // the superuser's
	login, anon, other string
	options            check.Options
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{login: pgtest.Role(t, "login noinherit"), anon: pgtest.Role(t, "nologin"), other: pgtest.Role(t, "nologin")}
	f.dsn = pgtest.Database(t)
	pgtest.Exec(t, f.dsn, "grant "+f.anon+" to "+f.login+`; create schema api; create table api.item (id int);
		create view api.recent as select 1; create function api.now() returns int language sql as 'select 1'; grant usage on schema api to `+f.anon)
	f.options = check.Options{DSN: as(t, f.dsn, f.login), Schemas: []string{"api"}, AnonRole: f.anon, Pool: 5, StatementTimeout: time.Second}
	return f
}

func as(t *testing.T, dsn, user string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(user)
	return u.String()
}

func run(t *testing.T, o check.Options) check.Report {
	t.Helper()
	report, err := check.Database(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// wantFinding checks one finding of a report; what is not OK must say what it costs and how to mend it.
func wantFinding(t *testing.T, r check.Report, name string, status check.Status, found string) {
	t.Helper()
	for _, f := range r.Findings {
		if f.Name != name {
			continue
		}
		if f.Status != status || !strings.Contains(f.Found, found) {
			t.Errorf("%s: got %s %q, want %s %q", name, f.Status, f.Found, status, found)
		}
		if (f.Status == check.OK) != (f.Cost == "" && f.Fix == "") {
			t.Errorf("%s is %s with cost %q and fix %q", name, f.Status, f.Cost, f.Fix)
		}
		return
	}
	t.Errorf("no finding %s in %+v", name, r.Findings)
}

func TestInOrder(t *testing.T) {
	f := newFixture(t)
	r := run(t, f.options)
	if !r.Serves() {
		t.Errorf("does not serve: %+v", r.Findings)
	}
	wantFinding(t, r, "connection", check.OK, f.login)
	wantFinding(t, r, "server version", check.OK, "")
	wantFinding(t, r, "authenticator", check.OK, f.login)
	wantFinding(t, r, "anonymous role", check.OK, f.anon)
	wantFinding(t, r, "roles of tokens", check.OK, "not used")
	wantFinding(t, r, "schema api", check.OK, "2 relations, 1 functions")
	wantFinding(t, r, "statement timeout", check.OK, "1s by db-statement-timeout")
	wantFinding(t, r, "connections", check.OK, "6 wanted")
	wantFinding(t, r, "replication right", check.Warn, "no")
	wantFinding(t, r, "replication slots", check.OK, "in use")
	wantFinding(t, r, "WAL senders", check.OK, "in use")
}

func TestRoles(t *testing.T) {
	f := newFixture(t)

	o := f.options
	o.AnonRole = "no_role_of_this_name"
	r := run(t, o)
	wantFinding(t, r, "anonymous role", check.Fail, "does not exist")
	if r.Serves() {
		t.Error("serves without the anonymous role")
	}
	o.AnonRole = f.other
	wantFinding(t, run(t, o), "anonymous role", check.Fail, "not granted")
	o.AnonRole = ""
	wantFinding(t, run(t, o), "anonymous role", check.Fail, "no jwt-secret")

	o.Tokens = true
	r = run(t, o)
	wantFinding(t, r, "anonymous role", check.OK, "none")
	wantFinding(t, r, "roles of tokens", check.OK, f.anon)
	o.AnonRole = f.anon
	wantFinding(t, run(t, o), "roles of tokens", check.Warn, "none is granted")

	o.DSN = f.dsn
	r = run(t, o)
	wantFinding(t, r, "authenticator", check.Warn, "a superuser")
	wantFinding(t, r, "replication right", check.OK, "yes")
	pgtest.Exec(t, f.dsn, "alter role "+f.login+" bypassrls replication")
	r = run(t, f.options)
	wantFinding(t, r, "authenticator", check.Warn, "row level security")
	wantFinding(t, r, "replication right", check.OK, "yes")
	pgtest.Exec(t, f.dsn, "alter role "+f.anon+" superuser")
	wantFinding(t, run(t, f.options), "anonymous role", check.Warn, "superuser")
}

func TestManyTokenRoles(t *testing.T) {
	f := newFixture(t)
	for range 7 {
		pgtest.Exec(t, f.dsn, "grant "+pgtest.Role(t, "nologin")+" to "+f.login)
	}
	f.options.Tokens = true
	wantFinding(t, run(t, f.options), "roles of tokens", check.OK, "7, among them ")
}

func TestSchemas(t *testing.T) {
	f := newFixture(t)
	pgtest.Exec(t, f.dsn, "create schema bare; grant usage on schema bare to "+f.anon, `create schema "my ""own"""; create table "my ""own""".t ()`)
	f.options.Schemas = []string{"api", "bare", `my "own"`, "missing"}
	r := run(t, f.options)
	wantFinding(t, r, "schema api", check.OK, "")
	wantFinding(t, r, "schema bare", check.Warn, "empty")
	wantFinding(t, r, `schema my "own"`, check.Warn, "1 relations, 0 functions, but no role of callers has USAGE")
	wantFinding(t, r, "schema missing", check.Fail, "does not exist")
	if r.Serves() {
		t.Error("serves a schema that does not exist")
	}

	for _, finding := range r.Findings {
		if finding.Name == `schema my "own"` && !strings.Contains(finding.Fix, `GRANT USAGE ON SCHEMA "my ""own""" TO`) {
			t.Errorf("fix: %s", finding.Fix)
		}
	}

	// A role that only tokens name counts when there are tokens.
	pgtest.Exec(t, f.dsn, "grant "+f.other+" to "+f.login, `grant usage on schema "my ""own""" to `+f.other)
	wantFinding(t, run(t, f.options), `schema my "own"`, check.Warn, "USAGE")
	f.options.Tokens = true
	wantFinding(t, run(t, f.options), `schema my "own"`, check.OK, "")
}

func TestStatementTimeout(t *testing.T) {
	f := newFixture(t)
	pgtest.Exec(t, f.dsn, "alter role "+f.login+" set statement_timeout = 0")
	f.options.StatementTimeout = 0
	wantFinding(t, run(t, f.options), "statement timeout", check.Warn, "none")
	pgtest.Exec(t, f.dsn, "alter role "+f.anon+" set statement_timeout = '3s'")
	wantFinding(t, run(t, f.options), "statement timeout", check.OK, "3s for "+f.anon)
	pgtest.Exec(t, f.dsn, "alter role "+f.login+" set statement_timeout = '9s'")
	wantFinding(t, run(t, f.options), "statement timeout", check.OK, "9s by the database")
}

func TestConnections(t *testing.T) {
	f := newFixture(t)
	f.options.Pool = 1_000_000
	wantFinding(t, run(t, f.options), "connections", check.Warn, "1000001 wanted")
	f.options.Pool = 3
	pgtest.Exec(t, f.dsn, "alter role "+f.login+" connection limit 3")
	r := run(t, f.options)
	wantFinding(t, r, "connections", check.Warn, "3 for this role")
	if !r.Serves() {
		t.Error("a pool that is too large is no reason not to serve")
	}
}

func TestNoConnection(t *testing.T) {
	for _, dsn := range []string{"postgres://u:hush@127.0.0.1:1/x", "postgres://u:hush@127.0.0.1:port/x"} {
		r := run(t, check.Options{DSN: dsn})
		wantFinding(t, r, "connection", check.Fail, "")
		if len(r.Findings) != 1 || r.Serves() {
			t.Errorf("%+v", r.Findings)
		}
		if found := r.Findings[0].Found; strings.Contains(found, "hush") || strings.Contains(found, "\n") {
			t.Errorf("found: %q", found)
		}
	}
}

func report() check.Report {
	return check.Report{Findings: []check.Finding{
		{Name: "connection", Status: check.OK, Found: "yes"},
		{Name: "schema <api>", Status: check.Fail, Found: "missing", Cost: "all", Fix: "create it"},
	}}
}

func TestWriteText(t *testing.T) {
	var b strings.Builder
	if err := report().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `OK    connection    yes
FAIL  schema <api>  missing
                    cost: all
                    fix:  create it
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b.Bytes(), []byte("schema <api>")) {
		t.Errorf("escaped for HTML: %s", b.Bytes())
	}
	var got struct {
		Serves   bool
		Findings []check.Finding
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report().Findings, got.Findings); diff != "" || got.Serves {
		t.Errorf("serves: %t, %s", got.Serves, diff)
	}
}

func TestPreRequest(t *testing.T) {
	f := newFixture(t)
	pgtest.Exec(t, f.dsn, "create function api.before(at int default 1) returns void language sql as ''; create function public.after(at int) returns void language sql as ''")
	for called, want := range map[string]check.Status{"api.before": check.OK, "before": check.OK, "api.now": check.OK, "api.nothing": check.Fail, "public.before": check.Fail, "after": check.Fail} {
		f.options.Called, f.options.SearchPath = called, []string{"public"}
		wantFinding(t, run(t, f.options), "db-pre-request", want, called)
	}
}
