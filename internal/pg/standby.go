package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipstream-go/slipstream/limit"
)

// replayedColumn follows the settings of a Tx on a standby: what it has replayed, in the statement before those of the Tx.
// These have snapshots of their own, taken later, and so see all of it; what a statement tells beside rows can be newer
// than its snapshot.
// A server that was promoted has none.
const replayedColumn = ", case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn() end"

// ErrBehind is returned by a Read on a standby that has not replayed Tx.Least, or was promoted.
var ErrBehind = errors.New("the standby has not replayed what the read must see")

// takeReplayed takes the position before the statements.
func (t *trip) takeReplayed(lsn string) error {
	t.replayed = parseLSN(lsn)
	if t.least > 0 && t.replayed < t.least {
		return ErrBehind
	}
	return nil
}

// standbyGrace is DB.cancelGrace of a standby, where somebody waits to read from the primary instead.
const standbyGrace = 250 * time.Millisecond

// forStandby has connections be to standbys only, and statements have snapshots of their own, whatever the settings of the
// role and of the database are.
func (db *DB) forStandby() {
	c := db.config.ConnConfig
	c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsStandby
	setParameter(c, "default_transaction_isolation", "read committed")
	db.cancelGrace = standbyGrace
}

// rendering are the settings by which values are read and shown. Configuration files are not replicated.
const rendering = `
select name, current_setting(name) from unnest(array['TimeZone', 'DateStyle', 'IntervalStyle', 'bytea_output', 'extra_float_digits',
	'default_text_search_config', 'lc_monetary', 'lc_numeric', 'lc_time', 'xmlbinary', 'xmloption', 'array_nulls',
	'transform_null_equals', 'timezone_abbreviations', 'quote_all_identifiers', 'gin_fuzzy_search_limit']) name`

// errForeign is the end of a connection to another cluster, as where an address was given to somebody else.
var errForeign = errors.New("the server is no standby of the primary's cluster")

// related refuses a server that is not of the cluster of who is imitated, as far as both tell theirs.
func (db *DB) related(ctx context.Context, conn *pgconn.PgConn) error {
	primary := db.origin.Load()
	if primary == nil {
		return nil
	}
	server, err := identify(ctx, conn)
	if err != nil {
		return err
	}
	if now, _ := primary.Primary(); now.System != 0 && server.system != 0 && now.System != server.system {
		return errForeign
	}
	return nil
}

// Imitate has connections from now on be to standbys of a primary's cluster, and read and show values as those to the primary
// do. It does away with those that there are. Call it again when settings may have changed.
func (db *DB) Imitate(ctx context.Context, primary *DB) error {
	settings := map[string]string{}
	err := primary.with(ctx, limit.Ask{}, func(conn *pgxpool.Conn) (bool, error) {
		rows, err := conn.Query(ctx, rendering, pgx.QueryExecModeExec)
		if err != nil {
			return true, serverError(err)
		}
		var name, value string
		_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
			settings[name] = value
			return nil
		})
		return true, serverError(err)
	})
	if err != nil {
		return fmt.Errorf("read the primary's settings: %w", err)
	}
	db.imitated.Store(&settings)
	db.origin.Store(primary)
	db.Renew()
	return nil
}

// imitate is for a connection that is about to be made.
func (db *DB) imitate(c *pgx.ConnConfig) {
	if settings := db.imitated.Load(); settings != nil {
		for name, value := range *settings {
			setParameter(c, name, value)
		}
	}
}

// setParameter sets a parameter of a session, whatever the spelling in which the DSN has it: of two, the server takes either.
func setParameter(c *pgx.ConnConfig, name, value string) {
	maps.DeleteFunc(c.RuntimeParams, func(other, _ string) bool { return strings.EqualFold(other, name) })
	c.RuntimeParams[name] = value
}

// User is the one that the DB connects as.
func (db *DB) User() string { return db.config.ConnConfig.User }

// Replayed is a position in the WAL: all that was committed before it was visible to the statements of the last Read, if
// they ran on a standby. It is 0 where that is not known, as after a Read that failed, or on a server that was promoted.
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
