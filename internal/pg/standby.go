package pg

import (
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// replayedColumn follows the settings of a Tx on a standby: what it has replayed, in the statement before those of the Tx.
// These have snapshots of their own, taken later, and so see all of it; what a statement tells beside rows can be newer
// than its snapshot.
const replayedColumn = ", pg_catalog.pg_last_wal_replay_lsn()"

// standbyGrace is DB.cancelGrace of a standby, where somebody waits to read from the primary instead.
const standbyGrace = 250 * time.Millisecond

// forStandby has connections be to standbys only, and statements have snapshots of their own, whatever the settings of the
// role and of the database are.
func (db *DB) forStandby() {
	c := db.config.ConnConfig
	c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsStandby
	// Of two spellings of a name, the server takes either.
	maps.DeleteFunc(c.RuntimeParams, func(name, _ string) bool { return strings.EqualFold(name, "default_transaction_isolation") })
	c.RuntimeParams["default_transaction_isolation"] = "read committed"
	db.cancelGrace = standbyGrace
}

// Replayed is a position in the WAL: all that was committed before it was visible to the statements of the last Read, if
// they ran on a standby. It is 0 where that is not known, as after a Read that failed. A server that was promoted may still
// tell the last position that it has replayed: whether it is a standby the statements have to ask themselves.
func (tx *Tx) Replayed() uint64 { return tx.replayed }

// queueSettings makes the messages of the settings.
func (t *trip) queueSettings() {
	if !t.options.Standby {
		t.sendText(t.settings.sql, "", "", t.settings.args)
		return
	}
	t.settings.sql = append(t.settings.sql, replayedColumn...)
	t.sendText(t.settings.sql, "", "", t.settings.args)
	t.steps[len(t.steps)-1].statement = replayed
}
