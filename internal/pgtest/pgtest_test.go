package pgtest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/pgtest"
)

// strayEnv makes TestStray a test that starts a server and waits to be killed.
const strayEnv = "SLIPSTREAM_TEST_STRAY"

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabaseIsEmptyAndUTF8(t *testing.T) {
	dsn := pgtest.Database(t)
	got := pgtest.Value(t, dsn, `select concat_ws(' ', pg_encoding_to_char(encoding), datcollate, datctype,
		(select count(*) from pg_class where relnamespace = 'public'::regnamespace))
		from pg_database where datname = current_database()`)
	if got != "UTF8 C C 0" {
		t.Errorf("got %q", got)
	}
}

func TestDatabaseIsDroppedAfterTheTest(t *testing.T) {
	var dsn string
	t.Run("user", func(t *testing.T) {
		dsn = pgtest.Database(t)
		pgtest.Exec(t, dsn, `create table a ()`, `create table b ()`)
	})
	name := dsn[strings.LastIndex(dsn, "/slipstream_test_")+1:]
	name, _, _ = strings.Cut(name, "?")
	if got := pgtest.Value(t, pgtest.ServerDSN(t), `select count(*) from pg_database where datname = $1`, name); got != "0" {
		t.Errorf("database %s is still there", name)
	}
}

func TestRoleIsDroppedAfterTheTest(t *testing.T) {
	var role string
	t.Run("user", func(t *testing.T) {
		role = pgtest.Role(t, "login noinherit")
		dsn := pgtest.Database(t)
		pgtest.Exec(t, dsn, `create table a ()`, `grant select on a to `+role)
		if got := pgtest.Value(t, dsn, `select rolcanlogin and not rolinherit from pg_roles where rolname = $1`, role); got != "t" {
			t.Errorf("attributes: %s", got)
		}
	})
	if got := pgtest.Value(t, pgtest.ServerDSN(t), `select count(*) from pg_roles where rolname = $1`, role); got != "0" {
		t.Errorf("role %s is still there", role)
	}
}

func TestDatabasesAreApart(t *testing.T) {
	one, two := pgtest.Database(t), pgtest.Database(t)
	pgtest.Exec(t, one, `create table only_in_one ()`)
	if got := pgtest.Value(t, two, `select to_regclass('only_in_one')`); got != "" {
		t.Error("two databases are one")
	}
}

func TestValueIsText(t *testing.T) {
	dsn := pgtest.ServerDSN(t)
	for sql, want := range map[string]string{
		`select 1.50`: "1.50", `select true`: "t", `select null`: "", `select array[1,2]`: "{1,2}", `select '{"a": 1}'::jsonb`: `{"a": 1}`,
	} {
		if got := pgtest.Value(t, dsn, sql); got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}

func TestDatabaseURLNamesTheServer(t *testing.T) {
	t.Setenv("DATABASE_URL", pgtest.Server(t).DSN("postgres"))
	dsn := pgtest.Database(t)
	if got := pgtest.Value(t, dsn, `select current_setting('fsync')`); got != "off" {
		t.Errorf("not the server of DATABASE_URL: fsync is %s", got)
	}
}

func TestForgottenDatabasesAndRolesAreSwept(t *testing.T) {
	dsn := pgtest.ServerDSN(t)
	old := fmt.Sprintf("slipstream_test_%d_%d_1", time.Now().Add(-24*time.Hour).Unix(), os.Getpid())
	fresh := fmt.Sprintf("slipstream_test_%d_%d_x", time.Now().Unix(), os.Getpid())
	for _, name := range []string{old, fresh} {
		pgtest.Exec(t, dsn, `create database `+name, `create role `+name)
		t.Cleanup(func() { pgtest.Exec(t, dsn, `drop database if exists `+name, `drop role if exists `+name) })
	}
	if err := pgtest.SweepDatabases(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	got := pgtest.Value(t, dsn, `select string_agg(name, ' ') from
		(select datname from pg_database union all select rolname from pg_roles) as n (name) where name in ($1, $2)`, old, fresh)
	if got != fresh+" "+fresh {
		t.Errorf("left: %q", got)
	}
}

// TestStray is the process that TestServersOfKilledProcessesAreSwept kills.
func TestStray(t *testing.T) {
	if os.Getenv(strayEnv) == "" {
		t.Skip("run by another test")
	}
	fmt.Println(pgtest.Server(t).Dir())
	select {}
}

func TestServersOfKilledProcessesAreSwept(t *testing.T) {
	t.Setenv(strayEnv, "yes")
	stray := exec.Command(os.Args[0], "-test.run", "^TestStray$")
	stray.Stderr = os.Stderr
	out, err := stray.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stray.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(line)
	age(t, dir)
	pgtest.SweepServers()
	if _, err := os.Stat(dir + "/data/postmaster.pid"); err != nil {
		t.Fatalf("a living process lost its server: %v", err)
	}

	if err := stray.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = stray.Wait() // it was killed
	age(t, dir)
	pgtest.SweepServers()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s after the sweep: %v", dir, err)
	}
}

// age makes a directory look like one that has been there for long.
func age(t *testing.T, dir string) {
	t.Helper()
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir, long, long); err != nil {
		t.Fatal(err)
	}
}

func TestStandbyFollows(t *testing.T) {
	r := pgtest.Standby(t)
	pgtest.Exec(t, pgtest.Server(t).DSN("postgres"), "create table followed (n int)", "insert into followed values (1)")
	t.Cleanup(func() { pgtest.Exec(t, pgtest.Server(t).DSN("postgres"), "drop table followed") })
	rows := func() string { return pgtest.Value(t, r.DSN("postgres"), "select count(*) from followed") }
	r.CatchUp()
	if got := rows(); got != "1" {
		t.Errorf("%s rows", got)
	}
	r.Pause()
	pgtest.Exec(t, pgtest.Server(t).DSN("postgres"), "insert into followed values (2)")
	if got := rows(); got != "1" {
		t.Errorf("%s rows, though replay is paused", got)
	}
	r.Resume()
	r.Stop()
	r.Start()
	r.CatchUp()
	if got := rows(); got != "2" {
		t.Errorf("%s rows after it was started again", got)
	}
	r.Promote()
	pgtest.Exec(t, r.DSN("postgres"), "insert into followed values (3)")
}
