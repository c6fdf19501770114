package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// PgxTx is a transaction as pgx gives it, for handlers written in Go.
type PgxTx = pgx.Tx

// Transact runs f in a transaction of its own with tx's role and settings, and commits when f returns nil.
// A read-write transaction needs tx.ReadWrite.
func (db *DB) Transact(ctx context.Context, tx *Tx, f func(PgxTx) error) error {
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	options := pgx.TxOptions{IsoLevel: pgx.TxIsoLevel(tx.Isolation), AccessMode: pgx.ReadWrite}
	if !tx.ReadWrite {
		options.AccessMode = pgx.ReadOnly
	}
	return pgx.BeginTxFunc(ctx, conn.Conn(), options, func(t pgx.Tx) error {
		sql, args := tx.settings(nil, nil)
		values := make([]any, len(args))
		for i := range args {
			values[i] = string(args[i])
		}
		if _, err := t.Exec(ctx, string(sql), values...); err != nil {
			return fmt.Errorf("set the transaction up: %w", serverError(err))
		}
		if tx.PreRequest != "" {
			if _, err := t.Exec(ctx, "select "+tx.PreRequest+"()"); err != nil {
				return fmt.Errorf("call the pre-request function: %w", serverError(err))
			}
		}
		return f(t)
	})
}
