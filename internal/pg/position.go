package pg

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

// positionSQL gives the end of the WAL: read after a COMMIT, it is after that.
const positionSQL = "select pg_catalog.pg_current_wal_insert_lsn()"

// queueCommit makes the messages of COMMIT, and asks for the position after it where somebody wants to know.
func (t *trip) queueCommit() {
	t.wal, t.commit = 0, len(t.steps)
	t.send(internal, statementKey{sql: "commit"}, nil, nil)
	if t.options.Committed != nil {
		t.send(position, statementKey{sql: positionSQL}, nil, nil)
	}
	t.encode(&pgproto3.Sync{})
}

// committed tells who wants to know. Nothing has to be told of a transaction that was rolled back.
func (db *DB) committed(ctx context.Context, position uint64) {
	if db.options.Committed != nil && position != 0 {
		db.options.Committed(ctx, position)
	}
}

// Position is the end of the WAL now.
func (db *DB) Position(ctx context.Context) (position uint64, err error) {
	err = db.with(ctx, func(conn *pgxpool.Conn) (again bool, err error) {
		var text string
		if err := conn.QueryRow(ctx, positionSQL+"::text").Scan(&text); err != nil {
			return true, serverError(err)
		}
		position = parsePosition([][]byte{[]byte(text)})
		return false, nil
	})
	return position, err
}

// parsePosition reads a pg_lsn such as 16/B374D848; 0 where there is none.
func parsePosition(row [][]byte) uint64 {
	if len(row) != 1 {
		return 0
	}
	high, low, _ := strings.Cut(string(row[0]), "/")
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
