package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// Conn is one connection outside the pools, for administrative work: loading
// data, checks, maintenance. Its owner closes it.
type Conn = pgx.Conn

// Connect opens a connection to dsn, a PostgreSQL URL or keyword string. When
// the context of a query ends, the server is told to cancel it; it does not go
// on unseen.
func Connect(ctx context.Context, dsn string) (*Conn, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 5 * time.Second}
	}
	return pgx.ConnectConfig(ctx, config)
}

// ExecScript runs the statements of sql, which are separated by semicolons, on
// a connection of its own. As psql -c does, it runs them in one transaction
// unless the script has transaction commands itself.
func ExecScript(ctx context.Context, dsn, sql string) error {
	conn, err := Connect(ctx, dsn)
	if err != nil {
		return err
	}
	// The connection must be closed even when ctx has ended meanwhile.
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		return fmt.Errorf("run script: %w", err)
	}
	return nil
}

// CreateDatabase makes a database (UTF8, the template's locale) unless it is
// there. dsn leads to another database of the same server.
func CreateDatabase(ctx context.Context, dsn, name string) error {
	err := ExecScript(ctx, dsn, "create database "+pgx.Identifier{name}.Sanitize()+" template template0 encoding 'UTF8'")
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.Code == duplicateDatabase {
		return nil
	}
	return err
}

// duplicateDatabase is PostgreSQL's error code for a name that is taken.
const duplicateDatabase = "42P04"
