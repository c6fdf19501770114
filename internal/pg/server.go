package pg

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// identity is what a server tells of itself.
type identity struct {
	recovering bool
	// system and timeline are those of Position; 0 where the server does not tell them, as standbys and some that others
	// manage.
	system   uint64
	timeline uint32
	// life is another one after each start of the server, and after each crash: the statistics that a crash takes are begun
	// anew. It is empty where that is not known.
	life string
}

// sameLife reports whether two connections are to one server that has not started again in between.
func (i identity) sameLife(other identity) bool {
	return i.life != "" && i.timeline != 0 && i == other
}

// identityColumns are what every role may ask, unless the server is one that others manage.
const identityColumns = "pg_catalog.pg_is_in_recovery()," +
	" case when not pg_catalog.pg_is_in_recovery() then pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) end," +
	" (select system_identifier from pg_catalog.pg_control_system())::text," +
	" pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), ' ', pg_catalog.pg_stat_get_bgwriter_stat_reset_time())"

// identify asks a server who it is. What it does not tell is left out: the error is one of the connection.
func identify(ctx context.Context, conn *pgconn.PgConn) (identity, error) {
	for _, columns := range []string{identityColumns, "pg_catalog.pg_is_in_recovery()", "'f'"} {
		results, err := conn.Exec(ctx, "select "+columns).ReadAll()
		switch {
		case err == nil && len(results) == 1 && len(results[0].Rows) == 1:
			return parseIdentity(results[0].Rows[0]), nil
		case conn.IsClosed() || ctx.Err() != nil:
			return identity{}, fmt.Errorf("ask the server who it is: %w", err)
		}
	}
	return identity{}, nil
}

// parseIdentity reads a row of identityColumns, or of the first of them.
func parseIdentity(row [][]byte) (id identity) {
	id.recovering = string(row[0]) == "t"
	const all = 4
	if len(row) < all {
		return id
	}
	if len(row[1]) >= timelineDigits {
		timeline, _ := strconv.ParseUint(string(row[1][:timelineDigits]), 16, 32) // 0 is unknown
		id.timeline = uint32(timeline)
	}
	system, _ := strconv.ParseInt(string(row[2]), 10, 64) // SQL has no unsigned integers
	id.system, id.life = uint64(system), string(row[3])
	return id
}
