package pg

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipstream-go/slipstream/limit"
)

// Position is a place in the write-ahead log of a server. The zero value is no place.
type Position struct {
	// LSN is comparable with those of the same System and Timeline only.
	LSN uint64
	// Timeline is the history of the server: a promoted standby begins a new one.
	Timeline uint32
	// System identifies the cluster that the server and its standbys are of.
	System uint64
}

// positionSQL gives the end of the WAL: read after a COMMIT, it is after that. The first eight digits of a WAL file's name
// are the timeline that is written now, where pg_control_checkpoint() has that of the last checkpoint. All three columns
// take the server 5 µs.
const positionSQL = "select pg_catalog.pg_current_wal_insert_lsn()::text," +
	" pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn())," +
	" (select system_identifier from pg_catalog.pg_control_system())::text"

// queueCommit makes the messages of COMMIT, and asks for the position after it where somebody wants to know.
func (t *trip) queueCommit() {
	t.commit = len(t.steps)
	t.send(internal, statementKey{sql: "commit"}, nil, nil)
	if t.options.Committed != nil {
		t.send(position, statementKey{sql: positionSQL}, nil, nil)
	}
	t.encode(&pgproto3.Sync{})
}

// outcome of a transaction.
type outcome struct {
	committed bool
	position  Position // after the commit, if it is known
	// xid is the transaction's id, 0 where it has none, and server the one that it was on: for who has to find out later
	// whether it was committed.
	xid    uint64
	server identity
}

// tell tells who wants to know. Nothing has to be told of a transaction that was rolled back.
func (db *DB) tell(ctx context.Context, o outcome) {
	if db.options.Committed != nil && o.committed {
		db.options.Committed(ctx, o.position)
	}
}

const positionUnknown = "the position after a commit is not known"

// CommittedBefore calls Options.Committed as a commit would that was made earlier, perhaps by another instance: for who
// answers with the outcome of that.
func (db *DB) CommittedBefore(ctx context.Context) {
	if db.options.Committed == nil {
		return
	}
	position, err := db.position(ctx)
	if err != nil {
		db.options.Logger.Warn(positionUnknown, "error", err)
	}
	db.options.Committed(ctx, position)
}

// position is the end of the WAL now.
func (db *DB) position(ctx context.Context) (position Position, err error) {
	err = db.with(ctx, limit.Ask{}, func(conn *pgxpool.Conn) (again bool, err error) {
		var lsn, file, system []byte
		if err := conn.QueryRow(ctx, positionSQL).Scan(&lsn, &file, &system); err != nil {
			return true, serverError(err)
		}
		position = parsePosition([][]byte{lsn, file, system})
		return false, nil
	})
	return position, err
}

// timelineDigits begin the name of a WAL file.
const timelineDigits = 8

// parsePosition reads a row of positionSQL, such as 16/B374D848, 000000010000001600000000B3, 7351234567890123456; the zero
// value where it is not one.
func parsePosition(row [][]byte) Position {
	if len(row) != 3 || len(row[1]) < timelineDigits {
		return Position{}
	}
	lsn := parseLSN(string(row[0]))
	timeline, err := strconv.ParseUint(string(row[1][:timelineDigits]), 16, 32)
	if err != nil {
		return Position{}
	}
	system, err := strconv.ParseInt(string(row[2]), 10, 64) // SQL has no unsigned integers
	if err != nil || lsn == 0 {
		return Position{}
	}
	return Position{LSN: lsn, Timeline: uint32(timeline), System: uint64(system)}
}

// parseLSN reads a pg_lsn; 0 where there is none.
func parseLSN(text string) uint64 {
	high, low, _ := strings.Cut(text, "/")
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return 0
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0
	}
	return h<<32 | l
}
