package pg

import (
	"context"
	"errors"
	"time"

	"github.com/slipstream-go/slipstream/limit"
)

// Sink receives the results of a Read. Values are valid only until the call returns, and nil for NULL; names must not
// be changed.
type Sink interface {
	// Columns is called once for every statement, before its rows.
	Columns(statement int, names []string) error
	// Row is called for every row.
	Row(statement int, values [][]byte) error
	// Restart is called when the Read begins anew: what came so far is to be forgotten. It reports whether it can be.
	Restart() bool
}

// Read runs the statements in one transaction and one round trip: settings, the pre-request function and the
// statements travel together, and one Sync ends the implicit transaction, with which all settings are undone.
//
// When ctx ends, the running statement is cancelled on the server; if it does not end within 5 s, its connection is
// given up. A read begins anew, as the budget allows, when its connection turns out to be dead or its transaction could
// not be serialized (see again), and on the same connection when a prepared statement is out of date. Reads that are known to be quick (Statement.Pace) share a connection's
// pipeline while there are more of them than connections. Errors are *Error, *ConnectError, *LostError, ErrAcquireTimeout,
// ErrDeadline, ErrClosed, ctx's, or what sink returned.
func (db *DB) Read(ctx context.Context, tx *Tx, statements []Statement, sink Sink) error {
	return db.do(ctx, tx, statements, sink, nil)
}

var errBegun = errors.New("part of the answer is on its way already")

// do runs the statements of a Read, or where there is a decide, of a Write.
func (db *DB) do(ctx context.Context, tx *Tx, statements []Statement, sink Sink, decide Decide) (err error) {
	if db.protected() {
		if !db.throttle.Allow() {
			db.throttled.Add(1)
			return ErrThrottled
		}
		defer func() { db.throttle.Done(!fails(err)) }()
	}
	if db.options.Trace != nil && len(statements) > 0 {
		var end func(error)
		ctx, end = db.options.Trace(ctx, statements[0].SQL)
		defer func() { end(err) }()
	}
	share := db.mayShare(tx, statements)
	if decide != nil {
		share = mayGroup(tx, statements)
	}
	if db.options.Standby {
		tx.replayed = 0
	}
	if decide != nil { // several reads may share a Tx
		tx.outcome = outcome{}
	}
	err = db.untilDone(ctx, decide != nil, &tx.outcome, func() (again, error) {
		if decide != nil && tx.outcome.server.timeline != 0 { // the COMMIT before was lost, and has had no effect
			tx.outcome = outcome{}
			if !sink.Restart() {
				return never, &LostError{Err: errBegun}
			}
		}
		why, err := db.attempt(ctx, tx, statements, sink, decide, share)
		share = false
		return why, err
	})
	if err == nil && decide != nil {
		db.tell(ctx, tx.outcome)
	}
	return tx.late(err)
}

// attempt uses one connection, and tells why it makes sense to try again, perhaps on another one.
func (db *DB) attempt(ctx context.Context, tx *Tx, statements []Statement, sink Sink, decide Decide, share bool) (why again, err error) {
	f := fellow{tx: tx, statements: statements}
	if decide != nil {
		f.write = &member{sink: sink, decide: decide}
	}
	t, err := db.trip(ctx, f, share)
	switch {
	case err != nil:
		return db.unreached(err), err
	case t == served:
		return f.write.again, f.write.err
	}
	defer t.end(db)
	if share && decide != nil {
		if group := t.gather(f); len(group) > 1 {
			return t.together(ctx, group, db.commitGrace)
		}
	}
	t.sink, t.hold = sink, decide != nil
	started := time.Now()
	t.watch(ctx)
	err = t.timed(tx, statements)
	if err != nil && t.stale(err) {
		if t.next != nil { // this connection has other things to do
			return t.unless(alone), err
		}
		if t.restart() {
			err = t.run(tx, statements)
		}
	}
	cancelled := t.unwatch()
	if !cancelled && timedOut(err) {
		t.session.work.Failed = limit.TimedOut
	}
	switch {
	case err == nil && t.hold:
		err = t.conclude(tx, decide, db.commitGrace)
		t.session.work = work(statements, time.Since(started), err)
		tx.outcome = t.outcome
		return t.fleeting(err), err
	case err == nil:
		if db.options.Standby && tx.begin() == "" { // else the statements have the snapshot that the settings had
			tx.replayed = t.replayed
		}
		return never, nil
	case cancelled:
		return never, ctx.Err()
	}
	if noRoom(err) {
		return never, err
	}
	if t.hitInstead(err) {
		return t.unless(alone), err
	}
	why = t.fleeting(err)
	if why == lost && !t.hold && tx.ReadWrite {
		why = never // whether a lost transaction has committed what it wrote, nobody knows, unless it was held open
	}
	return why, t.guarded(err)
}

// work is what the limiter learns from one use of a connection.
func work(statements []Statement, took time.Duration, err error) limit.Outcome {
	o := limit.Outcome{Took: took, Failed: failure(err)}
	if len(statements) > 0 && statements[0].Pace != nil {
		o.Shape = &statements[0].Pace.usual
	}
	return o
}

// timed makes the trip, and notes how long it takes.
func (t *trip) timed(tx *Tx, statements []Statement) error {
	exchange := func() error {
		if t.waiter != nil {
			return t.answer()
		}
		return t.run(tx, statements)
	}
	if t.hold || len(statements) == 0 || statements[0].Pace == nil {
		return exchange()
	}
	started := time.Now()
	err := exchange()
	took, alone := time.Since(started), t.waiter == nil && t.next == nil
	statements[0].Pace.note(took, alone)
	if alone {
		t.session.work = work(statements, took, err)
	}
	return err
}
