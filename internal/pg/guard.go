package pg

import "errors"

// Guard are two statements around those of a Write. They run with the rights of the login role, which callers have
// not, and take no round trip of their own. Their rows go nowhere.
type Guard struct {
	// Before runs first, before the role is taken on. When it fails, nothing else has been run.
	Before Statement
	// After runs last, right before COMMIT, unless its SQL is empty. It is read after decide has returned, so that
	// decide can fill it in.
	After Statement
}

// GuardError is an Error that a statement of a Guard gave, and nothing of the caller's. Nothing was written.
type GuardError struct{ Err *Error }

func (e *GuardError) Error() string { return "guard of a write: " + e.Err.Error() }

// queueGuard adds what comes before the role, if there is something.
func (t *trip) queueGuard(g *Guard) {
	if g == nil {
		return
	}
	t.guard = len(t.steps)
	t.send(internal, statementKey{sql: g.Before.SQL}, g.Before.Args, nil)
}

// commitGuarded is COMMIT with the guard's last statement before it, in one pipeline.
func (t *trip) commitGuarded(tx *Tx) error {
	const takeOn = "select pg_catalog.set_config('role', $1, true)"
	t.bound, t.guard = 0, 1
	t.send(internal, statementKey{sql: takeOn}, [][]byte{[]byte("none")}, nil)
	t.send(internal, statementKey{sql: tx.Guard.After.SQL}, tx.Guard.After.Args, nil)
	// Deferred triggers run at COMMIT, and before PostgreSQL 18 with the rights of the role that there is then.
	t.send(internal, statementKey{sql: takeOn}, [][]byte{[]byte(tx.Role)}, nil)
	t.queueCommit()
	if err := t.tooLarge; err != nil { // nothing was sent: the transaction is still open
		t.tooLarge, t.status = nil, 'T'
		return err
	}
	err := t.exchange()
	t.dropRefused()
	return t.guarded(err)
}

// guarded marks the errors of a guard's statement.
func (t *trip) guarded(err error) error {
	var answered *Error
	if t.guard > 0 && t.at == t.guard && errors.As(err, &answered) {
		return &GuardError{answered}
	}
	return err
}
