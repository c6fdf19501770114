package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipstream-go/slipstream/internal/devdb"
)

// urlEnv names the environment variable with the server to use.
const urlEnv = "DATABASE_URL"

// prefix begins the name of every database and role that a test makes.
const prefix = "slipstream_test_"

// One server and one counter per test process: tests meet only here.
var (
	private  lazyServer
	shared   sharedServer
	sequence atomic.Int64
)

// Main runs the package's tests, stops the server that they started and exits.
func Main(m *testing.M) {
	code := m.Run()
	private.stop()
	os.Exit(code)
}

// Server is the private cluster of the test process, whatever DATABASE_URL
// says: for tests that stop servers, read logs or count connections.
func Server(t testing.TB) *devdb.Cluster {
	t.Helper()
	cluster, err := private.get()
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

// ServerDSN is the superuser's URL of the server's maintenance database.
func ServerDSN(t testing.TB) string {
	t.Helper()
	if dsn := os.Getenv(urlEnv); dsn != "" {
		if err := shared.tidy(dsn); err != nil {
			t.Fatalf("%s: %v", urlEnv, err)
		}
		return dsn
	}
	return Server(t).DSN("postgres")
}

// Database makes an empty database (UTF8, C collation) and returns its
// superuser's URL. It is dropped at the end of the test, open connections
// notwithstanding.
func Database(t testing.TB) string {
	t.Helper()
	server := ServerDSN(t)
	name := unique()
	create := fmt.Sprintf("create database %s template template0 encoding 'UTF8' locale 'C'", name)
	if serverVersion(t, server) >= 150000 {
		create += " locale_provider libc"
	}
	Exec(t, server, create)
	t.Cleanup(func() {
		awaitSlots(t, server, name)
		Exec(t, server, "drop database if exists "+name+" with (force)")
	})
	return withDatabase(t, server, name)
}

// awaitSlots waits until PostgreSQL has noticed that those who decoded the log of a database are gone: until then it
// cannot be dropped, force or not.
func awaitSlots(t testing.TB, server, database string) {
	t.Helper()
	const used = `select count(*) from pg_replication_slots where database = $1 and active`
	for deadline := time.Now().Add(time.Minute); Value(t, server, used, database) != "0"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("a replication slot of the test's database is still in use: stop what uses it before the test ends")
			return
		}
	}
}

// Role makes a role with the attributes ("login noinherit") and returns its
// name, which no other test uses. It is dropped at the end of the test: call it
// before Database, so that the database with the role's grants goes first.
func Role(t testing.TB, attributes string) string {
	t.Helper()
	server := ServerDSN(t)
	name := unique()
	Exec(t, server, "create role "+name+" "+attributes)
	t.Cleanup(func() { Exec(t, server, "drop role if exists "+name) })
	return name
}

// Exec runs SQL, each string as a script of its own.
func Exec(t testing.TB, dsn string, sql ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, script := range sql {
		if _, err := conn.Exec(ctx, script).ReadAll(); err != nil {
			t.Fatalf("%v in:\n%s", err, script)
		}
	}
}

// Value is the only column of the only row of a query in PostgreSQL's text
// form; "" for null.
func Value(t testing.TB, dsn, sql string, args ...any) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, sql)
	}
	value, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (string, error) {
		return string(row.RawValues()[0]), nil
	})
	if err != nil {
		t.Fatalf("%v in:\n%s", err, sql)
	}
	return value
}

func serverVersion(t testing.TB, dsn string) int {
	t.Helper()
	var version int
	if _, err := fmt.Sscan(Value(t, dsn, "select current_setting('server_version_num')"), &version); err != nil {
		t.Fatal(err)
	}
	return version
}

// unique is a name that no other test process uses, with the time of its
// making, so that forgotten ones can be told.
func unique() string {
	return fmt.Sprintf("%s%d_%d_%d", prefix, time.Now().Unix(), os.Getpid(), sequence.Add(1))
}

// withDatabase is the URL dsn with another database's name.
func withDatabase(t testing.TB, dsn, name string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		t.Fatalf("%s must be a postgres:// URL", urlEnv)
	}
	u.Path = "/" + name
	return u.String()
}
