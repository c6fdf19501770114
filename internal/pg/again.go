package pg

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// again is why a transaction may be done anew. Nothing of it has taken effect then, and its client has got nothing of it.
//
// Functions can raise any SQLSTATE, so that a code alone proves little. That a transaction was rolled back is all that
// matters for conflict; lost is read off the connection; for demoted the server is asked.
type again uint8

const (
	never    again = iota
	alone          // it shared a connection or a transaction with others: this costs no budget
	conflict       // it could not be serialized, or was the victim of a deadlock (40001, 40P01)
	lost           // its connection broke before COMMIT was sent
	demoted        // it was to write, and the server has become a standby (25006)
	undone         // its connection broke at COMMIT, which did not take effect
	refused        // no connection could be had, and another one of several hosts may be the primary
	reasons
)

// String is the reason's name in metrics.
func (a again) String() string {
	return [...]string{"never", "alone", "conflict", "connection", "demoted", "undone", "unreachable"}[a]
}

// triedAgain counts, by reason.
type triedAgain [reasons]struct{ succeeded, failed, denied atomic.Uint64 }

// untilDone calls attempt until there is no reason or no budget to do so again. A write may be parked meanwhile. Attempts
// leave the outcome of a COMMIT in o; nil where they have none.
func (db *DB) untilDone(ctx context.Context, write bool, o *outcome, attempt func() (again, error)) error {
	db.options.Retries.Request()
	var parked parked
	defer db.parking.leave(&parked)
	last, single := never, false
	for tries := 1; ; {
		why, err := attempt()
		if o != nil && err != nil {
			why, err = db.resolve(ctx, o, why, err)
		}
		switch {
		case err == nil || why == never:
			db.tried.count(last, err == nil)
			return err
		case ctx.Err() != nil: // of what it shared with others, it may have somebody else's error
			db.tried.count(last, false)
			return ctx.Err()
		case why == alone && !single:
			single = true
			continue
		case why == alone:
			return err
		case why == demoted && !db.moved(ctx):
			return err
		}
		if write && why == refused && db.parking.wait(ctx, &parked, db.lookout.next()) {
			continue
		}
		if ctx.Err() != nil { // nobody waits for it any more: it must not cost others a retry
			return ctx.Err()
		}
		if !db.options.Retries.Retry(tries) {
			db.tried[why].denied.Add(1)
			return err
		}
		if !db.pause(ctx, why, tries) {
			return err
		}
		tries++
		last = why
	}
}

func (t *triedAgain) count(why again, succeeded bool) {
	switch {
	case why == never:
	case succeeded:
		t[why].succeeded.Add(1)
	default:
		t[why].failed.Add(1)
	}
}

// pause is short, and random, where the reason may still be there; a new connection can be asked for at once.
func (db *DB) pause(ctx context.Context, why again, tries int) bool {
	if why != conflict && why != refused {
		return true
	}
	timer := time.NewTimer(db.options.Retries.Pause(tries))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// fleeting tells whether err is a reason to do the trip's transaction anew.
func (t *trip) fleeting(err error) again {
	if err == nil { // else the usual case would allocate
		return never
	}
	var broken *LostError
	var answered *Error
	switch {
	case errors.As(err, &broken):
		if broken.CommitUnknown {
			return never // until it is known
		}
		return t.unless(lost)
	case !errors.As(err, &answered) || t.options.Standby: // whose readers have the primary to go to
		return never
	}
	switch answered.Code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return t.unless(conflict)
	case "25006": // read_only_sql_transaction
		if t.hold && t.demoted() {
			return t.unless(demoted)
		}
	}
	return never
}

// unless is why, unless what the client has got cannot be taken back.
func (t *trip) unless(why again) again {
	if t.sink != nil && !t.restartSink() {
		return never
	}
	return why
}

// demoted asks the server, after a transaction that was to write could not, whether it is a standby.
func (t *trip) demoted() bool {
	if t.status != 'I' {
		t.rollback()
	}
	if t.status != 'I' {
		return false
	}
	ctx, stop := t.limit()
	defer stop()
	t.used = true
	id, err := identify(ctx, t.wire)
	return err == nil && id.recovering
}

// moved finds out, after a server was found to be a standby, whether the primary can be had instead, and gives the
// connections there are up if so. A single host that has always been a standby serves reads, and is not looked at for
// each of the writes that it refuses.
func (db *DB) moved(ctx context.Context) bool {
	if db.lookout.chooses() {
		db.lookout.suspects()
		db.Renew()
		return true
	}
	moved, now := db.lookout.leadsElsewhere(ctx)
	if now {
		db.Renew()
	}
	return moved
}

// unreached tells whether it makes sense to ask for a connection again after err: another host may be the primary, or
// become it. A server that answered, save that it is starting or stopping, is there, and has its reasons.
func (db *DB) unreached(err error) again {
	var unreachable *ConnectError
	if !db.lookout.chooses() || !errors.As(err, &unreachable) {
		return never
	}
	if errors.Is(err, ErrNoPrimary) || !unreachable.answered() {
		return refused
	}
	return never
}
