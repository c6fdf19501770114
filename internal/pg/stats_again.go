package pg

import "github.com/slipstream-go/slipstream/limit"

// Attempts are the retries for one reason, by what came of them.
type Attempts struct {
	Reason                    string
	Succeeded, Failed, Denied uint64
}

// RetryStats are counted since the start.
type RetryStats struct {
	limit.RetryStats
	// ByReason has each reason: conflict, connection, demoted, undone, unreachable.
	ByReason []Attempts
	// Committed, Undone and Unknown are what was found out of transactions whose connection was lost at COMMIT.
	Committed, Undone, Unknown uint64
}

// RetryStats of all requests.
func (db *DB) RetryStats() RetryStats {
	s := RetryStats{
		RetryStats: db.options.Retries.Stats(),
		Committed:  db.found.committed.Load(), Undone: db.found.undone.Load(), Unknown: db.found.unknown.Load(),
	}
	for why := conflict; why < reasons; why++ {
		n := &db.tried[why]
		s.ByReason = append(s.ByReason, Attempts{why.String(), n.succeeded.Load(), n.failed.Load(), n.denied.Load()})
	}
	return s
}

// Retries is the budget of all requests: for who knows of retries that clients make themselves.
func (db *DB) Retries() *limit.RetryBudget { return db.options.Retries }

// ParkStats are counted since the start, but for Now.
type ParkStats struct {
	// Now is how many writes wait for a primary. Total began to, Expired gave up, and Full found no room.
	Now                  int64
	Total, Expired, Full uint64
}

// ParkStats of writes that wait for a primary.
func (db *DB) ParkStats() ParkStats {
	p := &db.parking
	return ParkStats{Now: p.now.Load(), Total: p.total.Load(), Expired: p.expired.Load(), Full: p.full.Load()}
}
