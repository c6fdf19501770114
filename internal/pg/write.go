package pg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Decide looks at the results of a Write, which the sink has got, and tells whether to commit or to roll back. An
// error rolls back, too, and is what Write returns.
type Decide = func() (commit bool, err error)

// Write runs the statements in a transaction that may write, in two round trips: settings, the pre-request function
// and the statements, and then COMMIT. In between it asks decide for the fate of the transaction: with false it is
// rolled back, after the deferred constraints were checked as a commit would have.
//
// A failed write leaves nothing behind. It begins anew as a Read does, and then decide may be asked again. Where the
// connection is lost at COMMIT, Write finds out whether that took effect: if it did, the Write has succeeded, and if not, it
// begins anew. Errors are those of Read, a *GuardError, and what decide returned; a *LostError of a COMMIT of which
// nobody knows whether it took effect says so (CommitUnknown).
func (db *DB) Write(ctx context.Context, tx *Tx, statements []Statement, sink Sink, decide Decide) error {
	return db.do(ctx, tx, statements, sink, decide)
}

// conclude ends a transaction that was held open. The client may be gone by now: what it asked for is done all the
// same, so nothing cancels this, but a server that is not heard of for as long as grace is given up. tx is nil where
// there is more than one.
func (t *trip) conclude(tx *Tx, decide Decide, grace time.Duration) error {
	commit, err := decide()
	if err != nil {
		return err
	}
	_ = t.wire.Conn().SetDeadline(time.Now().Add(grace)) // errs on a closed connection only, which the exchange notices
	t.used = true
	t.clearOut()
	t.steps, t.at, t.status = t.steps[:0], 0, 0
	switch {
	case !commit:
		t.encode(&pgproto3.Query{String: "set constraints all immediate; rollback"})
		err = t.exchange()
	case tx != nil && tx.Guard != nil && tx.Guard.After.SQL != "":
		err = t.commitGuarded(tx)
	default:
		t.queueCommit()
		err = t.exchange()
		t.dropRefused()
	}
	if commit && t.at > t.commit {
		t.outcome.committed = true
		if err != nil { // it is what came after that has failed
			t.options.Logger.Warn(positionUnknown, "error", err)
		}
		return nil
	}
	var lost *LostError
	if commit && errors.As(err, &lost) {
		lost.CommitUnknown = true
		t.outcome.server = t.session.server
	}
	return err
}
