package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Conn is one connection outside the pools, for administrative work: loading
// data, checks, maintenance. Its owner closes it.
type Conn = pgx.Conn

// Connect opens a connection to dsn, a PostgreSQL URL or keyword string.
func Connect(ctx context.Context, dsn string) (*Conn, error) {
	return pgx.Connect(ctx, dsn)
}

// ExecScript runs the statements of sql, which are separated by semicolons, on
// a connection of its own. As psql -c does, it runs them in one transaction
// unless the script has transaction commands itself.
func ExecScript(ctx context.Context, dsn, sql string) error {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	// The connection must be closed even when ctx has ended meanwhile.
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
		return fmt.Errorf("run script: %w", err)
	}
	return nil
}
