package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipstream-go/slipstream/limit"
)

// Running reports whether Run has made the pool.
func (db *DB) Running() bool { return db.pool.Load() != nil }

// Exec runs SQL on a connection of the pool, outside of any transaction.
func (db *DB) Exec(ctx context.Context, sql string) error {
	return db.with(ctx, limit.Ask{}, func(conn *pgxpool.Conn) (bool, error) {
		_, err := conn.Conn().PgConn().Exec(ctx, sql).ReadAll()
		return false, err
	})
}

// Arguments are those of the statement that sets tx up.
func (tx *Tx) Arguments() [][]byte {
	var s settings
	s.of(tx)
	return s.args
}

// SetCancelGrace makes a cancelled statement's connection be given up sooner, or later.
func (db *DB) SetCancelGrace(d time.Duration) { db.cancelGrace = d }

// SetCommitGrace makes Write give up a COMMIT sooner.
func (db *DB) SetCommitGrace(d time.Duration) { db.commitGrace = d }

// SetFateWithin makes Write give up sooner to find out what became of a COMMIT.
func (db *DB) SetFateWithin(d time.Duration) { db.fateWithin = d }

// SetHeartbeat makes Listen ask sooner whether the server is there.
func (db *DB) SetHeartbeat(d time.Duration) { db.heartbeat = d }

// SetQuick changes how fast reads must be to share a connection.
func (db *DB) SetQuick(d time.Duration) { db.quick = d }

// Quick is the pace of a statement that has been fast.
func Quick() *Pace {
	p := new(Pace)
	p.note(time.Microsecond, true)
	return p
}

// Note is what a Read does.
func (p *Pace) Note(took time.Duration) { p.note(took, true) }

// Below is whether it may be shared.
func (p *Pace) Below(d time.Duration) bool { return p.below(d, d) }

// OnceAdmitted calls f between the look at the server of a new connection and its coming into the pool. It is for before Run.
func (db *DB) OnceAdmitted(f func()) {
	db.config.ConnConfig.AfterConnect = func(context.Context, *pgconn.PgConn) error { f(); return nil }
}

// Open is how many connections there are.
func (db *DB) Open() int {
	db.open.mu.Lock()
	defer db.open.mu.Unlock()
	return len(db.open.all)
}
