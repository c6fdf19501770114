package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"
)

// acquire takes a connection from the pool, to be given back with release. Errors are ErrClosed, ErrAcquireTimeout,
// *ConnectError or ctx's.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if db.pool.Load() == nil {
		return nil, ErrClosed
	}
	if _, err := db.places.take(ctx, db.options.AcquireTimeout, fellow{}); err != nil {
		return nil, err
	}
	return db.connection(ctx)
}

// connection is acquire for who has a place. It waits for nobody else, only for a new connection where none is idle.
func (db *DB) connection(ctx context.Context) (*pgxpool.Conn, error) {
	pool := db.pool.Load()
	if pool == nil {
		db.places.give()
		return nil, ErrClosed
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		db.places.give()
		return nil, db.connectError(ctx, err)
	}
	return conn, nil
}

func (db *DB) release(conn *pgxpool.Conn) {
	conn.Release()
	db.places.give()
}

func (db *DB) connectError(ctx context.Context, err error) error {
	var known *ConnectError
	switch {
	case errors.Is(err, puddle.ErrClosedPool), db.pool.Load() == nil:
		return ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known): // from the gate
		return known
	}
	known = &ConnectError{err}
	if db.unreached(known) == never {
		return db.gate.failed(known)
	}
	if !errors.Is(err, ErrNoPrimary) {
		db.lookout.suspects()
	}
	return known
}

// lost tells that a connection turned out to be dead. What killed it, such as a restart of the server, has most likely
// killed the others too. The first to find out does away with them; those who lose one of the same generation later
// must not do away with the new ones.
func (db *DB) lost(s *session, err error) {
	if db.generation.CompareAndSwap(s.generation, s.generation+1) {
		db.options.Logger.Warn("database connection lost; all are renewed", "error", err)
		db.reset()
	}
}

// Renew does away with the connections of the pool: the idle ones now, those in use when they are given back. What they
// keep of the database as it was, such as the types of the parameters of prepared statements and the settings of their
// role, goes with them.
func (db *DB) Renew() {
	db.generation.Add(1)
	db.reset()
}

func (db *DB) reset() {
	if pool := db.pool.Load(); pool != nil {
		pool.Reset()
	}
}

// with runs f on a connection of the pool. When f loses the connection and says that it may be called again, it is
// called again with another one, as the budget allows.
func (db *DB) with(ctx context.Context, f func(*pgxpool.Conn) (again bool, err error)) error {
	return db.untilDone(ctx, false, nil, func() (again, error) { return db.once(ctx, f) })
}

// once runs f on a connection of the pool, and tells why it may be called again.
func (db *DB) once(ctx context.Context, f func(*pgxpool.Conn) (again bool, err error)) (again, error) {
	conn, err := db.acquire(ctx)
	if err != nil {
		return db.unreached(err), err
	}
	may, err := db.use(conn, f)
	var broken *LostError
	if may && errors.As(err, &broken) {
		return lost, err
	}
	return never, err
}

func (db *DB) use(conn *pgxpool.Conn, f func(*pgxpool.Conn) (bool, error)) (again bool, err error) {
	defer db.release(conn)
	again, err = f(conn)
	// pgx closes the connection that a context has ended, too: that one was not lost.
	if err != nil && conn.Conn().IsClosed() && !ended(err) {
		db.lost(sessionOf(conn.Conn().PgConn()), err)
		var known *LostError
		if !errors.As(err, &known) {
			err = &LostError{Err: err}
		}
	}
	return again, err
}

// Ping reports whether a connection can be had and answers.
func (db *DB) Ping(ctx context.Context) error {
	return db.with(ctx, func(conn *pgxpool.Conn) (bool, error) {
		return true, serverError(conn.Ping(ctx))
	})
}
