package pg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Lookout looks at the primary now and then, by a connection of its own: one that requests do not wait for, and that does
// not wait for them. It is one goroutine's.
type Lookout struct {
	db       *DB
	conn     *pgx.Conn
	server   identity // that conn is to
	database string
}

// Lookout makes one. It connects to nothing.
func (db *DB) Lookout() *Lookout { return &Lookout{db: db} }

// flushedSQL is positionSQL with the end of what is on the disk: what a standby can have at most. Unlike the place of the next
// record, it is never after the header of a page that has no record yet, which no standby replays.
const flushedSQL = "select pg_catalog.pg_current_wal_flush_lsn()::text," +
	" pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn())," +
	" (select system_identifier from pg_catalog.pg_control_system())::text, current_database()"

var errStandby = errors.New("the server is a standby")

// Database is the name of the database that the last Look was in.
func (l *Lookout) Database() string { return l.database }

// Look is the end of the log that is on the primary's disk. It connects if there is no connection, and keeps it for as long as
// the server is the one that requests go to: of several that say they are the primary, that of the latest timeline.
func (l *Lookout) Look(ctx context.Context) (Position, error) {
	position, err := l.look(ctx)
	if err != nil {
		l.Close()
	}
	return position, err
}

func (l *Lookout) look(ctx context.Context) (Position, error) {
	if l.conn == nil {
		config := l.db.config.ConnConfig.Copy()
		config.RuntimeParams["application_name"] = l.db.options.ApplicationName + " lookout"
		if err := l.db.lookout.steer(ctx, config); err != nil {
			return Position{}, &ConnectError{err}
		}
		config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) (err error) {
			l.server, err = l.db.lookout.admit(ctx, conn)
			if err == nil && l.server.recovering {
				err = errStandby
			}
			return err
		}
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return Position{}, &ConnectError{err}
		}
		l.conn = conn
	}
	var lsn, file, system []byte
	if err := l.conn.QueryRow(ctx, flushedSQL, pgx.QueryExecModeExec).Scan(&lsn, &file, &system, &l.database); err != nil {
		return Position{}, serverError(err)
	}
	// A primary that others have gone on without may still run, and be ahead of the one that there is now.
	if err := l.db.lookout.still(l.server); err != nil {
		return Position{}, err
	}
	return parsePosition([][]byte{lsn, file, system}), nil
}

// Close ends the connection, if there is one. The next Look makes a new one.
func (l *Lookout) Close() {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.conn.Close(ctx)
	l.conn = nil
}
