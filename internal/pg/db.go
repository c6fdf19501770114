package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"
)

// Options configure a DB; a zero field takes its default.
type Options struct {
	// DSN is a libpq connection URI or keyword string; PG* environment variables fill what it leaves out.
	DSN string
	// MaxConns bounds the pool, default 10.
	MaxConns int
	// AcquireTimeout is how long a request may wait for a connection, default 10 s.
	AcquireTimeout time.Duration
	// MaxIdle and MaxLifetime recycle connections, default 30 s and 30 min.
	MaxIdle, MaxLifetime time.Duration
	// ConnectTimeout bounds opening one connection, default 5 s.
	ConnectTimeout time.Duration
	// Unprepared sends every statement unnamed, for poolers that cannot keep prepared statements.
	Unprepared bool
	// Statements bounds the prepared statements of one connection, default 256.
	Statements int
	// ApplicationName is what pg_stat_activity shows, default slipstream.
	ApplicationName string
	Logger          *slog.Logger
	// Trace, if not nil, is called around every round trip. It gets the main statement and gives what to call at its end.
	Trace func(ctx context.Context, sql string) (context.Context, func(error))
}

func (o *Options) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.AcquireTimeout, 10*time.Second)
	def(&o.MaxIdle, 30*time.Second)
	def(&o.MaxLifetime, 30*time.Minute)
	def(&o.ConnectTimeout, 5*time.Second)
	if o.MaxConns == 0 {
		o.MaxConns = 10
	}
	if o.Statements == 0 {
		o.Statements = 256
	}
	if o.ApplicationName == "" {
		o.ApplicationName = "slipstream"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// DB is a pool of connections to one server.
type DB struct {
	options  Options
	config   *pgxpool.Config
	pool     atomic.Pointer[pgxpool.Pool]
	timeouts atomic.Int64
	waiting  atomic.Int64
}

// Open checks the options. It connects to nothing and starts nothing: Run does.
func Open(o Options) (*DB, error) {
	o.defaults()
	config, err := pgxpool.ParseConfig(o.DSN)
	if err != nil {
		return nil, fmt.Errorf("database connection string: %w", hideDSN(err))
	}
	config.MaxConns = int32(o.MaxConns)
	config.MaxConnIdleTime = o.MaxIdle
	config.MaxConnLifetime = o.MaxLifetime
	config.MaxConnLifetimeJitter = o.MaxLifetime / 10
	config.HealthCheckPeriod = max(o.MaxIdle/2, time.Second)
	config.ConnConfig.ConnectTimeout = o.ConnectTimeout
	// A dead connection shows at its first use, which is retried; a ping before it would cost a round trip.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = o.ApplicationName
	}
	return &DB{options: o, config: config}, nil
}

// hideDSN keeps what pgx says of a connection string, without the string: it may hold a password.
func hideDSN(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		if cause := errors.Unwrap(parse); cause != nil {
			return errors.New("cannot be parsed; give postgres://user:password@host:port/database or key=value pairs: " + cause.Error())
		}
		return errors.New("cannot be parsed; give postgres://user:password@host:port/database or key=value pairs")
	}
	return err
}

// Run makes the pool usable until ctx is done, then closes it and waits for the connections in use.
func (db *DB) Run(ctx context.Context) error {
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), db.config)
	if err != nil {
		return fmt.Errorf("open connection pool: %w", err)
	}
	db.pool.Store(pool)
	<-ctx.Done()
	db.pool.Store(nil)
	pool.Close()
	return nil
}

// Stats are the pool's counters, for metrics.
type Stats struct {
	Max, Total, Idle, InUse int
	// Waiting requests have no connection yet; Timeouts gave up waiting since the start.
	Waiting, Timeouts int64
}

// Stats of the pool now.
func (db *DB) Stats() Stats {
	s := Stats{Max: db.options.MaxConns, Waiting: db.waiting.Load(), Timeouts: db.timeouts.Load()}
	if pool := db.pool.Load(); pool != nil {
		st := pool.Stat()
		s.Total, s.Idle, s.InUse = int(st.TotalConns()), int(st.IdleConns()), int(st.AcquiredConns())
	}
	return s
}

// acquire takes a connection from the pool. Errors are ErrClosed, ErrAcquireTimeout, *ConnectError or ctx's.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	pool := db.pool.Load()
	if pool == nil {
		return nil, ErrClosed
	}
	db.waiting.Add(1)
	defer db.waiting.Add(-1)
	wait, cancel := context.WithTimeout(ctx, db.options.AcquireTimeout)
	defer cancel()
	conn, err := pool.Acquire(wait)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case wait.Err() != nil:
		db.timeouts.Add(1)
		return nil, ErrAcquireTimeout
	case errors.Is(err, puddle.ErrClosedPool):
		return nil, ErrClosed
	}
	return nil, &ConnectError{hideDSN(err)}
}

// Catalog runs f on a connection in a read-only REPEATABLE READ transaction with an empty search_path, so that
// several queries see one catalog and types print with their schemas.
func (db *DB) Catalog(ctx context.Context, f func(Querier) error) error {
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return pgx.BeginTxFunc(ctx, conn.Conn(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local search_path to ''; set local statement_timeout to '2min'"); err != nil {
			return serverError(err)
		}
		return serverError(f(tx))
	})
}

// Ping reports whether a connection can be had and answers.
func (db *DB) Ping(ctx context.Context) error {
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := conn.Conn().Ping(ctx); err != nil {
		return serverError(err)
	}
	return nil
}
