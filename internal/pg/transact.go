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
// A read-write transaction needs tx.ReadWrite. Errors are f's own, or those of Write. What f does besides cannot be taken
// back, so f is called once: who wants a transaction that could not be serialized (SQLSTATE 40001) done again calls
// Transact again.
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
	writes := o.AccessMode == pgx.ReadWrite
	return db.untilDone(ctx, writes, nil, func() (again, error) {
		var end outcome
		why, err := db.once(ctx, ask, func(conn *pgxpool.Conn) (again bool, err error) {
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
			return false, commit(ctx, t, writes, &end)
		})
		if why, err = db.resolve(ctx, &end, why, err); why == undone {
			why = never // f is not ours to repeat
		}
		return why, err
	})
}

// commit commits, having asked for the id by which the outcome can be found out: that is a round trip of its own here.
func commit(ctx context.Context, t pgx.Tx, writes bool, end *outcome) error {
	if writes && t.Conn().PgConn().TxStatus() == 'T' {
		var id *string
		if err := t.QueryRow(ctx, xidSQL).Scan(&id); err != nil {
			return fmt.Errorf("ask for the transaction's id: %w", serverError(err))
		}
		if id != nil {
			end.xid = parseAssigned([][]byte{[]byte(*id)})
		}
		end.server = sessionOf(t.Conn().PgConn()).server
	}
	err := t.Commit(ctx)
	switch {
	case err == nil:
		return nil
	case writes && t.Conn().IsClosed():
		return &LostError{Err: err, CommitUnknown: true}
	}
	return fmt.Errorf("commit: %w", serverError(err))
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
