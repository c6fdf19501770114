package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// Replica reads on one of several servers.
type Replica interface {
	Reader
	// Again is Read on the primary, after an error that this one may not give.
	Again(context.Context, *pg.Tx, []pg.Statement, pg.Sink) error
}

// readAnywhere is Read on a replica, where the answer may come from one, else on the primary.
func (a *answer) readAnywhere(statements []pg.Statement, sink pg.Sink) error {
	replica := a.replica()
	if replica == nil {
		return a.db.Read(a.r.Context(), &a.tx, statements, sink)
	}
	err := replica.Read(a.r.Context(), &a.tx, statements, sink)
	if err == nil || !mayBeOfStandby(err) || !sink.Restart() {
		return err
	}
	again := replica.Again(a.r.Context(), &a.tx, statements, sink)
	if again == nil && notOnStandbys(err) {
		a.plan.primaryOnly.Store(true)
	}
	return again
}

// replica is what the request may be read on besides the primary, or nil. A transaction of another isolation level than READ
// COMMITTED cannot tell which state it shows, and one that is serializable cannot be run by a standby. What a volatile
// function does, nobody knows.
func (a *answer) replica() Replica {
	f := a.plan.Function
	switch {
	case a.options.Replica == nil, a.held, a.db != runner(a.Handler.db), a.plan.write != nil, a.plan.writes:
	case a.r.Method != http.MethodGet && a.r.Method != http.MethodHead:
	case a.tx.Isolation != "", a.req.Prefer.Read != "", a.plan.primaryOnly.Load():
	case f != nil && f.Volatility == schema.Volatile:
	default:
		return a.options.Replica(a.r)
	}
	return nil
}

// mayBeOfStandby tells errors that the primary may not give: a standby does not run all that reads, and may not have replayed
// yet that there is a table, a function, a role or a right to it. The primary has the last word on these.
func mayBeOfStandby(err error) bool {
	var answered *pg.Error
	if !errors.As(err, &answered) || len(answered.Code) != 5 {
		return false
	}
	switch answered.Code[:2] {
	case "42", "3F", "26": // access rules and names, schemas, statements
		return true
	}
	return answered.Code == "22023" || notOnStandbys(err) // invalid_parameter_value: a role that does not exist
}

// notOnStandbys tells the errors of what no standby runs: reading unlogged tables, looking at the log's end, and what a function
// does that is read-only on a primary alone.
func notOnStandbys(err error) bool {
	var answered *pg.Error
	if !errors.As(err, &answered) {
		return false
	}
	switch answered.Code {
	case "0A000", "25006", "55000": // feature_not_supported, read_only_sql_transaction, object_not_in_prerequisite_state
		return true
	}
	return false
}
