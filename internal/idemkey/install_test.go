package idemkey_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/idemkey"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// place is a database with a login role and a role of callers, and one that has nothing to do with either.
type place struct{ dsn, login, member, stranger string }

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{login: pgtest.Role(t, "login noinherit"), member: pgtest.Role(t, "nologin"), stranger: pgtest.Role(t, "nologin")}
	p.dsn = pgtest.Database(t)
	pgtest.Exec(t, p.dsn, "grant "+p.member+" to "+p.login)
	return p
}

func (p place) install(t *testing.T) {
	t.Helper()
	if err := idemkey.Install(t.Context(), p.dsn, p.login); err != nil {
		t.Fatal(err)
	}
}

// installed asks as the server does.
func (p place) installed(t *testing.T) bool {
	t.Helper()
	u, err := url.Parse(p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(p.login)
	conn, err := pg.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	ok, err := idemkey.Installed(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestInstallAndUninstall(t *testing.T) {
	p := newPlace(t)
	if p.installed(t) {
		t.Error("installed before the installation")
	}
	p.install(t)
	if !p.installed(t) {
		t.Error("not installed")
	}
	pgtest.Exec(t, p.dsn, `insert into slipstream.idempotency values ('\x01', '\x02', 201, '{}', '')`)
	p.install(t)
	if got := pgtest.Value(t, p.dsn, "select count(*) from slipstream.idempotency"); got != "1" || !p.installed(t) {
		t.Errorf("a second installation leaves %s answers", got)
	}
	pgtest.Exec(t, p.dsn, "create table slipstream.other ()")
	for range 2 {
		if err := idemkey.Uninstall(t.Context(), p.dsn); err != nil {
			t.Fatal(err)
		}
	}
	if p.installed(t) {
		t.Error("installed after all")
	}
	pgtest.Exec(t, p.dsn, "drop table slipstream.other")
	if err := idemkey.Uninstall(t.Context(), p.dsn); err != nil {
		t.Fatal(err)
	}
	if got := pgtest.Value(t, p.dsn, "select count(*) from pg_namespace where nspname = 'slipstream'"); got != "0" {
		t.Error("the schema is left")
	}
}

// A failed installation leaves nothing.
func TestInstallForNobody(t *testing.T) {
	p := newPlace(t)
	for _, role := range []string{"", "no such role'"} {
		if err := idemkey.Install(t.Context(), p.dsn, role); err == nil {
			t.Errorf("installed for %q", role)
		}
	}
	if got := pgtest.Value(t, p.dsn, "select count(*) from pg_namespace where nspname = 'slipstream'"); got != "0" {
		t.Error("something is left")
	}
}

// Only the login role may use the functions, and nobody the table, whatever is granted by default.
func TestNobodyElseGetsAtAnswers(t *testing.T) {
	p := newPlace(t)
	pgtest.Exec(t, p.dsn,
		"alter default privileges grant all on tables to public, "+p.member,
		"alter default privileges grant all on functions to "+p.member+", "+p.stranger,
		"alter default privileges grant all on schemas to public")
	p.install(t)
	if !p.installed(t) {
		t.Error("the login role cannot use the functions")
	}
	calls := []string{
		`select slipstream.idempotency_begin('\x00', '\x00')`,
		`select slipstream.idempotency_store('\x00', '\x00', 200, '{}', '')`,
		`select slipstream.idempotency_answer('\x00', '\x00')`,
		`select from slipstream.idempotency`,
		`delete from slipstream.idempotency`,
	}
	for _, role := range []string{p.member, p.stranger, p.login} {
		for i, call := range calls {
			err := pg.ExecScript(t.Context(), p.dsn, "set role "+role+";"+call)
			refused := err != nil && strings.Contains(err.Error(), "42501")
			if may := role == p.login && i < 3; refused == may {
				t.Errorf("%s by %s: %v", call, role, err)
			}
		}
	}
	// The next login role takes the rights of the last one.
	if err := idemkey.Install(t.Context(), p.dsn, p.stranger); err != nil || p.installed(t) {
		t.Errorf("%v; installed for the former login role", err)
	}
}

// Where a snapshot is older than the lock, what the last holder of the lock has stored is not seen: the request must fail
// at once, and not on what the first one wrote.
func TestASnapshotThatIsTooOld(t *testing.T) {
	p := newPlace(t)
	p.install(t)
	const begin, store = `select slipstream.idempotency_begin('\x01', '\x02')`, `select slipstream.idempotency_store('\x01', '\x02', 201, '{}', '')`
	conn, err := pg.Connect(t.Context(), p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, sql := range []string{"begin isolation level repeatable read", "select 1"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, level := range []string{"serializable", "read committed"} {
		pgtest.Exec(t, p.dsn, "begin isolation level "+level+";"+begin+";"+store+"; commit")
		if _, err := conn.Exec(t.Context(), begin); err == nil || !strings.Contains(err.Error(), "40001") {
			t.Errorf("after an answer of %s: %v", level, err)
		}
		pgtest.Exec(t, p.dsn, "delete from slipstream.idempotency")
		if _, err := conn.Exec(t.Context(), "rollback; begin isolation level repeatable read; select 1"); err != nil {
			t.Fatal(err)
		}
	}
}

// The functions do not trust what is in reach of their callers.
func TestFunctionsAreSafe(t *testing.T) {
	p := newPlace(t)
	p.install(t)
	got := pgtest.Value(t, p.dsn, `select count(*) from pg_proc where pronamespace = 'slipstream'::regnamespace
		and prosecdef and proconfig = '{"search_path=pg_catalog, pg_temp"}'`)
	if got != "3" {
		t.Errorf("%s functions are", got)
	}
}
