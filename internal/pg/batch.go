package pg

import (
	"context"
	"errors"
	"slices"

	"github.com/slipstream-go/slipstream/limit"
)

// ErrBatchIsolation means that a statement of a Batch wants another isolation level than its transaction has.
var ErrBatchIsolation = errors.New("the operations of a transaction want different isolation levels")

// Batch is one transaction of several reads and writes, each under its own settings and in one round trip.
type Batch struct {
	trip      *trip
	isolation string
	begun     bool
	rollback  bool
	again     again
	set       []string // the names of what writes have set so far
	failed    error
}

// Batch runs f in one transaction and commits it when f returns nil, unless a Write decided otherwise. It begins anew as
// a Write does: then f is called again. Errors are those of Write, and what f returned.
func (db *DB) Batch(ctx context.Context, ask limit.Ask, f func(*Batch) error) error {
	var o outcome
	err := db.untilDone(ctx, true, &o, func() (why again, err error) {
		o, why, err = db.attemptBatch(ctx, ask, f)
		return why, err
	})
	if err == nil {
		db.tell(ctx, o)
	}
	return err
}

func (db *DB) attemptBatch(ctx context.Context, ask limit.Ask, f func(*Batch) error) (o outcome, why again, err error) {
	conn, err := db.acquire(ctx, ask)
	if err != nil {
		return outcome{}, db.unreached(err), err
	}
	t := db.newTrip(conn)
	defer t.end(db)
	t.hold, t.status = true, 'I'
	t.watch(ctx)
	b := &Batch{trip: t}
	err = f(b)
	cancelled := t.unwatch()
	switch {
	case err != nil && cancelled:
		return outcome{}, never, ctx.Err()
	case err != nil || !b.begun:
		return outcome{}, b.again, err
	}
	err = t.conclude(nil, func() (bool, error) { return !b.rollback, nil }, db.commitGrace)
	return t.outcome, t.fleeting(err), err
}

// Read is DB.Read in the transaction. What it writes is undone.
func (b *Batch) Read(ctx context.Context, tx *Tx, statements []Statement, sink Sink) error {
	b.trip.savepoint = !tx.ReadWrite // which takes its settings back, too
	return b.run(ctx, tx, statements, sink)
}

// Write is DB.Write in the transaction: decide can have all of it rolled back. It is asked before the end of the
// transaction, and may be asked again.
func (b *Batch) Write(ctx context.Context, tx *Tx, statements []Statement, sink Sink, decide Decide) error {
	b.trip.savepoint = false
	if err := b.run(ctx, tx, statements, sink); err != nil {
		return err
	}
	commit, err := decide()
	if !commit {
		b.rollback = true
	}
	return err
}

// run makes one round trip. After an error there is nothing more to do in the transaction.
func (b *Batch) run(ctx context.Context, tx *Tx, statements []Statement, sink Sink) (err error) {
	if b.failed != nil {
		return b.failed
	}
	defer func() { b.failed = err }()
	if b.trip.inside = b.begun; b.begun && tx.Isolation != b.isolation {
		return ErrBatchIsolation
	}
	b.begun, b.isolation = true, tx.Isolation
	if db := b.trip.options; db.Trace != nil && len(statements) > 0 {
		_, end := db.Trace(ctx, statements[0].SQL)
		defer func() { end(err) }()
	}
	b.trip.sink = sink
	b.trip.unset = b.leftovers(tx)
	err = b.trip.run(tx, statements)
	if tx.ReadWrite {
		b.remember(tx.Settings)
	}
	b.again = b.trip.fleeting(err)
	if err != nil && b.again == never && b.trip.stale(err) {
		b.again = alone
	}
	return tx.late(err)
}

// leftovers are the names that operations before have set and tx does not.
func (b *Batch) leftovers(tx *Tx) []string {
	return slices.DeleteFunc(slices.Clone(b.set), func(name string) bool {
		is := func(s Setting) bool { return s.Name == name }
		return slices.ContainsFunc(tx.Settings, is) || slices.ContainsFunc(tx.RoleSettings, is)
	})
}

func (b *Batch) remember(settings []Setting) {
	for _, s := range settings {
		if !slices.Contains(b.set, s.Name) {
			b.set = append(b.set, s.Name)
		}
	}
}
