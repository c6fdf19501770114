package pg

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipstream-go/slipstream/limit"
)

// Options configure a DB; a zero field takes its default.
type Options struct {
	// DSN is a libpq connection URI or keyword string; PG* environment variables fill what it leaves out.
	DSN string
	// MaxConns bounds the pool, default 10.
	MaxConns int
	// AcquireTimeout is how long a request may wait for a connection that others use, default 10 s.
	AcquireTimeout time.Duration
	// MaxIdle and MaxLifetime recycle connections, default 30 s and 30 min.
	MaxIdle, MaxLifetime time.Duration
	// ConnectTimeout bounds opening one connection, for each host of the DSN; default 5 s, and 1 s for each of several.
	ConnectTimeout time.Duration
	// ParkWrites is how many writes may wait while none of several hosts is the primary, default 256, none when negative;
	// ParkTime is for how long, default 5 s.
	ParkWrites int
	ParkTime   time.Duration
	// Retries is the budget of all requests together; nil is one of the DB's own.
	Retries *limit.RetryBudget
	// Switched, if not nil, is called when the primary has another history than before, as after a failover: all
	// connections to the one before are gone, and there are none yet to the new one. It must not call the DB.
	Switched func(Primary)
	// Standby has the DB connect to standbys only, for Reads whose Tx can tell what the standby had replayed before them: see
	// Tx.Replayed.
	Standby bool
	// Unprepared sends every statement unnamed, for poolers that cannot keep prepared statements.
	Unprepared bool
	// Statements bounds the prepared statements of one connection, default 256.
	Statements int
	// ApplicationName is what pg_stat_activity shows, default slipstream.
	ApplicationName string
	// Classes of requests, by Tx.Ask, have each their share of the connections, and what is more than the server can do at a time is
	// refused. Without any, requests have their turns in the order in which they come.
	Classes []limit.Class
	// Logger is told when the database goes away and comes back; nobody when nil.
	Logger *slog.Logger
	// Committed, if not nil, is called after every COMMIT of a Write, Batch or Transact, before they return, with a position
	// in the WAL after it; the zero value where that is not known. The context is that of the call.
	Committed func(ctx context.Context, position Position)
	// Buffers, if not nil, bounds what large rows take together while they arrive; a Read for which there is no room gives a
	// *limit.BufferError.
	Buffers *limit.Buffers
	// Trace, if not nil, is called around every Read. It gets the main statement and gives what to call at its end.
	Trace func(ctx context.Context, sql string) (context.Context, func(error))
}

func (o *Options) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.AcquireTimeout, 10*time.Second)
	def(&o.MaxIdle, 30*time.Second)
	def(&o.MaxLifetime, 30*time.Minute)
	def(&o.ParkTime, 5*time.Second)
	if o.MaxConns <= 0 {
		o.MaxConns = 10
	}
	if o.ParkWrites == 0 {
		o.ParkWrites = 256
	}
	if o.Retries == nil {
		// A restart of the server costs each connection of the pool one, and all that share it.
		o.Retries = limit.NewRetryBudget(limit.RetryOptions{Burst: o.MaxConns * (1 + mostAlong)})
	}
	if o.Statements <= 0 {
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
	options Options
	config  *pgxpool.Config
	pool    atomic.Pointer[pgxpool.Pool]
	gate    gate
	// limiter is the only queue: who has a permit finds a connection.
	limiter  *limit.Limiter
	timeouts atomic.Int64 // of who gave up waiting
	// throttle refuses part of the requests while the server cannot do most of them.
	throttle  limit.Throttle
	throttled atomic.Uint64
	lookout   *lookout
	parking   parking
	tried     triedAgain
	found     fates
	// open are the connections of the pool.
	open connections
	// generation of the connections: it ends with the loss of one of them.
	generation atomic.Uint64
	// imitated are the settings of a standby's connections, and origin is whose they are: see Imitate.
	imitated atomic.Pointer[map[string]string]
	origin   atomic.Pointer[DB]
	// heartbeat is how long a listener waits for a notification before it asks whether the server is still there.
	heartbeat time.Duration
	// cancelGrace is how long a cancelled statement may take to end before its connection is given up.
	cancelGrace time.Duration
	// commitGrace is how long a COMMIT may take, which a synchronous replica can hold up.
	commitGrace time.Duration
	// fateWithin bounds the search for the outcome of a COMMIT.
	fateWithin time.Duration
	// quick is the time that a read may take on average so that others may wait behind it on the same connection.
	// Without anything else on the machine it must not take more than a twentieth of that: where processors are scarce, a
	// server process with more to do than others has to wait for them afterwards, with all that it has still to answer,
	// and one read in a hundred waits for long.
	quick time.Duration
}

// Open checks the options. It connects to nothing and starts nothing: Run does.
func Open(o Options) (*DB, error) {
	o.defaults()
	config, err := pgxpool.ParseConfig(o.DSN)
	if err != nil {
		return nil, fmt.Errorf("database connection string: %w", hideDSN(err))
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 5 * time.Second
		if len(hostsOf(config.ConnConfig)) > 1 {
			o.ConnectTimeout = time.Second
		}
	}
	db := &DB{
		options: o, config: config, limiter: o.limiter(),
		parking: parking{most: int64(o.ParkWrites), longest: o.ParkTime}, fateWithin: fateWithin,
		gate: gate{log: o.Logger}, heartbeat: 30 * time.Second, cancelGrace: 5 * time.Second, commitGrace: time.Minute,
		quick: 4 * time.Millisecond,
	}
	config.MaxConns = int32(o.MaxConns)
	config.MaxConnIdleTime = o.MaxIdle
	config.MaxConnLifetime = o.MaxLifetime
	config.MaxConnLifetimeJitter = o.MaxLifetime / 10
	config.HealthCheckPeriod = max(o.MaxIdle/2, time.Second)
	// A dead connection shows at its first use, which is retried; a ping before it would cost a round trip.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		db.imitate(c)
		if err := db.gate.pass(o.ConnectTimeout); err != nil {
			return err
		}
		return db.lookout.steer(ctx, c)
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		db.gate.opened()
		db.open.add(conn.PgConn()) // before the question, so that no switch of the primary misses it
		err := db.lookout.still(sessionOf(conn.PgConn()).server)
		if err != nil { // then BeforeClose is not called
			db.open.remove(conn.PgConn())
		}
		return err
	}
	config.BeforeClose = func(conn *pgx.Conn) { db.open.remove(conn.PgConn()) }
	config.ConnConfig.ConnectTimeout = o.ConnectTimeout
	// pgx's own statement cache does not tell roles apart; see statementKey.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = o.ApplicationName
	}
	if o.Buffers != nil {
		config.ConnConfig.BuildFrontend = o.frontend
	}
	db.lookout = newLookout(&db.options, config.ConnConfig.Copy(), db.switched)
	if o.Standby {
		db.forStandby()
	}
	db.admitOnly(config.ConnConfig)
	return db, nil
}

func (o *Options) limiter() *limit.Limiter {
	return limit.New(limit.Options{
		Max: o.MaxConns, Classes: o.Classes, Fixed: len(o.Classes) == 0, Queue: mostWaiting, Target: wait, Interval: burst,
	})
}

// A queue in which everybody has waited for longer than wait, for as long as burst, is more than one of those that come and go as
// pages are opened: clients do not see less than that, and what is answered a bit later is better than refused.
const (
	wait  = 50 * time.Millisecond
	burst = 200 * time.Millisecond
)

// mostWaiting is how many requests may wait for a connection.
const mostWaiting = 100_000

// Limiter is what requests wait at.
func (db *DB) Limiter() *limit.Limiter { return db.limiter }

// Throttled is the share of requests that are refused with ErrThrottled, and how many were since the start.
func (db *DB) Throttled() (share float64, refused uint64) {
	return db.throttle.Stats().Refusal, db.throttled.Load()
}

// protected tells whether requests may be refused for the server's sake.
func (db *DB) protected() bool { return len(db.options.Classes) > 0 }

// Run makes the pool usable until ctx is done, then closes it and waits for the connections in use.
func (db *DB) Run(ctx context.Context) error {
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), db.config)
	if err != nil {
		return fmt.Errorf("open connection pool: %w", err)
	}
	db.pool.Store(pool)
	db.lookout.run(ctx)
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
	s := Stats{Max: db.options.MaxConns, Waiting: int64(db.limiter.Stats().Queued), Timeouts: db.timeouts.Load()}
	if pool := db.pool.Load(); pool != nil {
		st := pool.Stat()
		s.Total, s.Idle, s.InUse = int(st.TotalConns()), int(st.IdleConns()), int(st.AcquiredConns())
	}
	return s
}
