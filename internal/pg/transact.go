package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipstream-go/slipstream/limit"
)

// PgxTx is a transaction as pgx gives it, for handlers written in Go.
type PgxTx = pgx.Tx

// Transact runs f in a transaction of its own with tx's role and settings, and commits when f returns nil.
// A read-write transaction needs tx.ReadWrite. Errors are f's own, or those of Read.
func (db *DB) Transact(ctx context.Context, tx *Tx, f func(PgxTx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.TxIsoLevel(tx.Isolation), AccessMode: pgx.ReadWrite}
	if !tx.ReadWrite {
		options.AccessMode = pgx.ReadOnly
	}
	err := db.transact(ctx, tx.Ask, options, func(t pgx.Tx) error { return tx.setUp(ctx, t) }, f)
	if err == nil && tx.ReadWrite {
		db.CommittedBefore(ctx)
	}
	return err
}

// Catalog runs f on a connection in a read-only REPEATABLE READ transaction with an empty search_path, so that
// several queries see one catalog and types print with their schemas.
func (db *DB) Catalog(ctx context.Context, f func(Querier) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	setUp := func(t pgx.Tx) error {
		_, err := t.Exec(ctx, "select set_config('search_path', '', true), set_config('statement_timeout', '2min', true)")
		return err
	}
	return db.transact(ctx, limit.Ask{}, options, setUp, func(t pgx.Tx) error { return f(t) })
}

// transact runs setUp and f in a transaction. A connection that was dead before f is replaced.
func (db *DB) transact(ctx context.Context, ask limit.Ask, o pgx.TxOptions, setUp, f func(pgx.Tx) error) error {
	return db.with(ctx, ask, func(conn *pgxpool.Conn) (again bool, err error) {
		t, err := conn.BeginTx(ctx, o)
		if err != nil {
			return true, fmt.Errorf("begin a transaction: %w", serverError(err))
		}
		defer func() { _ = t.Rollback(ctx) }() // of no effect after a commit
		if err := setUp(t); err != nil {
			return true, fmt.Errorf("set the transaction up: %w", serverError(err))
		}
		if err := f(t); err != nil {
			return false, err
		}
		if err := t.Commit(ctx); err != nil {
			return false, fmt.Errorf("commit: %w", serverError(err))
		}
		return false, nil
	})
}

func (tx *Tx) setUp(ctx context.Context, t pgx.Tx) error {
	var s settings
	s.of(tx)
	values := make([]any, len(s.args))
	for i := range s.args {
		values[i] = string(s.args[i])
	}
	if _, err := t.Exec(ctx, string(s.sql), values...); err != nil || tx.PreRequest == "" {
		return err
	}
	if _, err := t.Exec(ctx, "select "+tx.PreRequest+"()"); err != nil {
		return fmt.Errorf("call the pre-request function: %w", err)
	}
	return nil
}
