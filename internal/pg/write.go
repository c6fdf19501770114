package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Write runs the statements in a transaction that may write, in two round trips: settings, the pre-request function
// and the statements, and then COMMIT. In between it asks decide, which has seen the results, for the fate of the
// transaction: with false it is rolled back, after the deferred constraints were checked as a commit would have.
//
// A failed write leaves nothing behind. It is tried again only when nothing of it can have happened: when a prepared
// statement is out of date. Errors are those of Read, and what decide returned; a *LostError of a COMMIT says that
// nobody knows whether it took effect (CommitUnknown).
func (db *DB) Write(ctx context.Context, tx *Tx, statements []Statement, sink Sink, decide func() (commit bool, err error)) (err error) {
	if db.options.Trace != nil && len(statements) > 0 {
		var end func(error)
		ctx, end = db.options.Trace(ctx, statements[0].SQL)
		defer func() { end(err) }()
	}
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	t := db.newTrip(conn, sink)
	defer t.end(db)
	t.hold = true
	t.watch(ctx)
	err = t.run(tx, statements)
	if err != nil && t.stale(err) && t.restart() {
		err = t.run(tx, statements)
	}
	if cancelled := t.unwatch(); err != nil && cancelled {
		return ctx.Err()
	}
	if err != nil {
		return err // the transaction is rolled back at the end of the trip
	}
	commit, err := decide()
	if err != nil {
		return err
	}
	return t.conclude(commit)
}

// conclude ends a transaction that was held open. The client may be gone by now: what it asked for is done all the
// same, so nothing cancels this.
func (t *trip) conclude(commit bool) error {
	sql := "commit"
	if !commit {
		sql = "set constraints all immediate; rollback"
	}
	t.out, t.steps, t.at, t.status = t.out[:0], t.steps[:0], 0, 0
	t.encode(&pgproto3.Query{String: sql})
	err := t.exchange()
	var lost *LostError
	if commit && errors.As(err, &lost) {
		lost.CommitUnknown = true
	}
	return err
}
