package pg

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipstream-go/slipstream/limit"
)

// Where a connection is lost after COMMIT was sent, the server is asked what became of the transaction, by its id
// (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT). Two things keep the answer from
// being about another transaction of the same id. A server that was promoted may have given it again: so it must be of
// the same system and timeline. And a server that has crashed gives ids again which were not in its log yet: then only that
// the id did not commit is believed.

const (
	// fateWithin bounds the search for the outcome of a COMMIT.
	fateWithin = 5 * time.Second
	// fatePause and longestFatePause are between two questions.
	fatePause, longestFatePause = 10 * time.Millisecond, 250 * time.Millisecond
)

// fates counts what became of transactions whose connection was lost at COMMIT.
type fates struct{ committed, undone, unknown atomic.Uint64 }

const xidSQL = "select pg_catalog.pg_current_xact_id_if_assigned()::text"

// queueXid asks for the transaction's id. Whoever has written has one.
func (t *trip) queueXid() {
	t.send(assigned, statementKey{sql: xidSQL}, nil, nil)
}

func parseAssigned(row [][]byte) uint64 {
	if len(row) != 1 || row[0] == nil {
		return 0
	}
	xid, _ := strconv.ParseUint(string(row[0]), 10, 64) // 0 is none
	return xid
}

// resolve finds out what became of a COMMIT that was not answered. Other errors are left as they are.
func (db *DB) resolve(ctx context.Context, o *outcome, why again, err error) (again, error) {
	var lostAt *LostError
	if !errors.As(err, &lostAt) || !lostAt.CommitUnknown {
		return why, err
	}
	switch db.fate(ctx, o) {
	case "committed":
		db.found.committed.Add(1)
		db.options.Logger.Info("the connection was lost at COMMIT, which took effect")
		o.committed, o.position = true, Position{}
		return never, nil
	case "aborted":
		db.found.undone.Add(1)
		return undone, &LostError{Err: lostAt.Err}
	}
	db.found.unknown.Add(1)
	return never, err
}

// fate is committed or aborted; empty where that cannot be found out in time. That the client has left changes nothing:
// others may have to be told of what was committed.
func (db *DB) fate(ctx context.Context, o *outcome) string {
	if o.xid == 0 || o.server.timeline == 0 {
		return ""
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), db.fateWithin)
	defer stop()
	for pause := fatePause; ; pause = min(2*pause, longestFatePause) {
		status, now, err := db.askFate(ctx, o.xid)
		switch {
		case err != nil: // the server may be on its way back
		case now.system != o.server.system || now.timeline != o.server.timeline:
			return ""
		case status == "aborted", status == "committed" && now.sameLife(o.server):
			return status
		case status != "in progress":
			return ""
		}
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(pause):
		}
	}
}

// askFate asks for the status of a transaction, and in the same statement who answers.
func (db *DB) askFate(ctx context.Context, xid uint64) (status string, server identity, err error) {
	const sql = "select pg_catalog.pg_xact_status($1::text::pg_catalog.xid8), " + identityColumns
	args := [][]byte{strconv.AppendUint(nil, xid, 10)}
	err = db.with(ctx, limit.Ask{}, func(conn *pgxpool.Conn) (bool, error) {
		wire := conn.Conn().PgConn()
		r := wire.ExecParams(ctx, sql, args, nil, nil, nil).Read()
		var answered *Error
		switch err := serverError(r.Err); {
		case errors.As(err, &answered) && answered.Code == "22023": // the id is in the future: a crash has left nothing of it
			status = "aborted"
			server, err = identify(ctx, wire)
			return true, err
		case err != nil || len(r.Rows) != 1:
			return true, err
		}
		status, server = string(r.Rows[0][0]), parseIdentity(r.Rows[0][1:])
		return false, nil
	})
	return status, server, err
}
