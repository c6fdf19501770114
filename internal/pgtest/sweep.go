package pgtest

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// forgotten is the age from which a test's database or role has no test left
// that would drop it.
const forgotten = 6 * time.Hour

// sweepDatabases drops the databases and roles on a shared server whose test
// was killed. It is best effort: other processes may be at it too.
func sweepDatabases(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	drop(ctx, conn, "drop database if exists ", `select datname from pg_database`)
	drop(ctx, conn, "drop role if exists ", `select rolname from pg_roles`)
	return nil
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
