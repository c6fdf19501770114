package feed_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// problems are what Preflight finds, one per line.
func problems(t *testing.T, dsn string) string {
	t.Helper()
	found, err := feed.Preflight(t.Context(), dsn, feed.WAL)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range found {
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

// as is the DSN for another user.
func as(t *testing.T, dsn, role string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return u.String()
}

// made is all that an installation makes.
const made = `
select concat_ws(' ',
	(select count(*) from pg_namespace where nspname = 'slipstream'),
	(select count(*) from pg_event_trigger where evtname like 'slipstream%'),
	(select count(*) from pg_publication where pubname = 'slipstream'),
	(select count(*) from pg_roles where rolname = $1 and rolreplication))`

func TestInstallAndUninstall(t *testing.T) {
	pgtest.Server(t)
	role := pgtest.Role(t, "login noinherit")
	dsn := pgtest.Database(t)
	mine := as(t, dsn, role)
	for _, want := range []string{"the role " + role + " may not replicate: ALTER ROLE", "changes of the schema are not reported", "the publication is missing"} {
		if got := problems(t, mine); !strings.Contains(got, want) {
			t.Errorf("%s: not in\n%s", want, got)
		}
	}
	for range 2 {
		if err := feed.Install(t.Context(), dsn, role, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := problems(t, mine); got != "" {
		t.Error(got)
	}
	if got := pgtest.Value(t, dsn, made, role); got != "1 3 1 1" {
		t.Errorf("made: %s", got)
	}
	for range 2 {
		if err := feed.Uninstall(t.Context(), dsn); err != nil {
			t.Fatal(err)
		}
	}
	if got := pgtest.Value(t, dsn, made, role); got != "0 0 0 0" {
		t.Errorf("left: %s", got)
	}
	// A right that it did not give stays.
	pgtest.Exec(t, dsn, "alter role "+role+" replication; create schema slipstream create table other ()")
	if err := feed.Install(t.Context(), dsn, role, nil); err != nil {
		t.Fatal(err)
	}
	if err := feed.Uninstall(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	if got := pgtest.Value(t, dsn, made, role); got != "1 0 0 1" {
		t.Errorf("left: %s", got)
	}
}

// A failed installation leaves nothing.
func TestInstallRefuses(t *testing.T) {
	pgtest.Server(t)
	dsn := pgtest.Database(t)
	for _, role := range []string{"", "no such role'"} {
		if err := feed.Install(t.Context(), dsn, role, nil); err == nil {
			t.Errorf("installed for %q", role)
		}
	}
	if got := pgtest.Value(t, dsn, made, "postgres"); !strings.HasPrefix(got, "0 0 0") {
		t.Errorf("left: %s", got)
	}
	pgtest.Exec(t, dsn, "create publication slipstream for all tables")
	if err := feed.Install(t.Context(), dsn, "postgres", nil); err == nil || !strings.Contains(err.Error(), "FOR ALL TABLES") {
		t.Error(err)
	}
	if got := problems(t, dsn); !strings.Contains(got, "the publication is not as it was installed") {
		t.Error(got)
	}
}

// The role that the server connects as needs no more than REPLICATION, and others may not call what runs as a superuser.
func TestLeastPrivilege(t *testing.T) {
	pgtest.Server(t)
	role := pgtest.Role(t, "login noinherit")
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, "create table item (id int primary key)", "create schema theirs authorization "+role)
	if err := feed.Install(t.Context(), dsn, role, nil); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{
		"select slipstream.cache_publish(true)", "select slipstream.cache_unpublish(true)", "select * from slipstream.cache_eligible()", "select from slipstream.cache_role",
		"create event trigger e on sql_drop execute function slipstream.cache_schema_changed()", "alter publication slipstream drop table item",
	} {
		if err := pg.ExecScript(t.Context(), as(t, dsn, role), call); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", call, err)
		}
	}
	f := follow(t, dsn, func(o *feed.Options) { o.DSN = as(t, dsn, role) })
	f.expect(f.exec("insert into item values (1)"), "item insert > (1)")
	// What the role creates is published all the same, and what it does in its own search path changes nothing.
	pgtest.Exec(t, as(t, dsn, role), `
		create function theirs.format(text, anyelement) returns text language sql as $$ select 'drop table public.item' $$;
		set search_path = theirs, pg_catalog;
		create table theirs.own (id int primary key);
		create operator theirs.= (leftarg = name, rightarg = name, function = pg_catalog.nameeq)`)
	f.published("item", "theirs.own")
	got := pgtest.Value(t, dsn, `select count(*) from pg_proc where pronamespace = 'slipstream'::regnamespace
		and proconfig = '{"search_path=pg_catalog, pg_temp"}'`)
	if got != "7" {
		t.Errorf("%s functions have a search path of their own", got)
	}
}
