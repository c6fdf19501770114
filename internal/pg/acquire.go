package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"

	"github.com/slipstream-go/slipstream/limit"
)

// acquire takes a connection from the pool, to be given back with release. Errors are ErrClosed, ErrAcquireTimeout,
// *limit.ShedError, *ConnectError or ctx's.
func (db *DB) acquire(ctx context.Context, ask limit.Ask) (*pgxpool.Conn, error) {
	if db.pool.Load() == nil {
		return nil, ErrClosed
	}
	permit, _, err := db.turn(ctx, ask)
	if err != nil {
		return nil, err
	}
	return db.connection(ctx, permit)
}

// turn waits for a permit, or for what becomes of ask's rider.
func (db *DB) turn(ctx context.Context, ask limit.Ask) (limit.Permit, any, error) {
	ask.Wait = db.options.AcquireTimeout
	permit, passed, err := db.limiter.Acquire(ctx, ask)
	if err == nil {
		return permit, passed, nil
	}
	var shed *limit.ShedError
	if errors.As(err, &shed) && shed.Reason == limit.WaitOver {
		db.timeouts.Add(1)
		err = ErrAcquireTimeout
	}
	return limit.Permit{}, nil, err
}

// connection is acquire for who has a permit. It waits for nobody else, only for a new connection where none is idle.
func (db *DB) connection(ctx context.Context, permit limit.Permit) (*pgxpool.Conn, error) {
	pool := db.pool.Load()
	if pool == nil {
		permit.Release(limit.Outcome{Failed: limit.Ignore})
		return nil, ErrClosed
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		err = db.connectError(ctx, err)
		permit.Release(limit.Outcome{Failed: failure(err)})
		return nil, err
	}
	s := sessionOf(conn.Conn().PgConn())
	s.permit, s.work = permit, limit.Outcome{Failed: limit.Ignore}
	return conn, nil
}

func (db *DB) release(conn *pgxpool.Conn) {
	s := sessionOf(conn.Conn().PgConn())
	permit, work := s.permit, s.work
	s.permit = limit.Permit{}
	conn.Release()
	permit.Release(work)
}

// failure is what an error says of how much the server can do.
func failure(err error) limit.Failure {
	if err == nil {
		return limit.None
	}
	var answered *pgconn.PgError
	var refused *Error
	if errors.As(err, &answered) && tooMany(answered.Code) || errors.As(err, &refused) && !refused.raised() && tooMany(refused.Code) {
		return limit.Refused
	}
	return limit.Ignore
}

// timedOut tells query_canceled, which is statement_timeout where nobody has asked to cancel.
func timedOut(err error) bool {
	if err == nil {
		return false
	}
	var answered *Error
	return errors.As(err, &answered) && !answered.raised() && answered.Code == "57014"
}

// fails tells errors by which a server says that it cannot work: insufficient_resources, system_error and internal_error. A
// server that is not there is the gate's business, and what is wrong with a statement is none of the server's.
func fails(err error) bool {
	if err == nil {
		return false
	}
	var answered *Error
	if !errors.As(err, &answered) || answered.raised() {
		return false
	}
	class := answered.Code[:min(2, len(answered.Code))]
	return class == "53" || class == "58" || class == "XX"
}

// tooMany tells too_many_connections and out_of_memory.
func tooMany(code string) bool { return code == "53300" || code == "53200" }

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
func (db *DB) with(ctx context.Context, ask limit.Ask, f func(*pgxpool.Conn) (again bool, err error)) error {
	return db.untilDone(ctx, false, nil, func() (again, error) { return db.once(ctx, ask, f) })
}

// once runs f on a connection of the pool, and tells why it may be called again.
func (db *DB) once(ctx context.Context, ask limit.Ask, f func(*pgxpool.Conn) (again bool, err error)) (again, error) {
	conn, err := db.acquire(ctx, ask)
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
	return db.with(ctx, limit.Ask{}, func(conn *pgxpool.Conn) (bool, error) {
		return true, serverError(conn.Ping(ctx))
	})
}
