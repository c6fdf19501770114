package pgtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// forgotten is the age from which a test's database or role has no test left
// that would drop it.
const forgotten = 6 * time.Hour

var sweepOnce sync.Once

// sweepDatabases drops, once per test process, the databases and roles on a
// shared server whose test was killed. It is best effort.
func sweepDatabases(t testing.TB, dsn string) {
	t.Helper()
	sweepOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(ctx) }()
		drop(ctx, conn, "drop database if exists ", `select datname from pg_database`)
		drop(ctx, conn, "drop role if exists ", `select rolname from pg_roles`)
	})
}

// drop drops what the query names and a test of long ago made.
func drop(ctx context.Context, conn *pgx.Conn, command, names string) {
	rows, err := conn.Query(ctx, `select name::text from (`+names+`) as n (name)
		where name ~ ('^' || $1 || '[0-9]+_[0-9]+_[0-9]+$')
		and to_timestamp(split_part(name::text, '_', 3)::bigint) < now() - $2::interval`, prefix, forgotten)
	if err != nil {
		return
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return
	}
	for _, name := range found {
		_, _ = conn.Exec(ctx, command+pgx.Identifier{name}.Sanitize())
	}
}
