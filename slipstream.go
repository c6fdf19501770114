package slipstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/slipstream-go/slipstream/internal/edge"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/redis"
	"github.com/slipstream-go/slipstream/internal/replicas"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/telemetry"
	"github.com/slipstream-go/slipstream/limit"
)

// Server is one Slipstream: the data API on one database, its admin server and the handlers that were added to it.
// Several fit into one process.
type Server struct {
	name    string // tells it from others on the database
	log     *slog.Logger
	db      *pg.DB
	metrics *telemetry.Metrics
	access  *telemetry.AccessLog
	level   slog.LevelVar // of the access log
	output  interface{ Close() error }
	tracer  *telemetry.Tracer
	own     *http.ServeMux // handlers of Handle
	hasOwn  atomic.Bool

	api, admin *edge.Server
	current    atomic.Pointer[serving]
	catalog    atomic.Pointer[rest.Catalog]
	loads      loads
	caching    *caching      // nil when off
	redis      *redis.Client // nil without one
	limiting   limiting
	memory     *limit.Memory
	buffers    *limit.Buffers
	replicas   *replicas.Set // nil without any

	running  atomic.Bool
	retired  chan *serving // configurations whose background work must end
	onReload atomic.Pointer[func(context.Context)]
	fatal    chan error   // what ends Run
	seed     maphash.Seed // of what Server.writer gives
}

// ErrRunning is returned by a second Run.
var ErrRunning = errors.New("the server is already running")

// New checks the configuration and prepares a server. It connects to nothing, listens nowhere and starts no
// goroutine: Run does. All problems of the configuration are returned at once.
func New(_ context.Context, cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	given := cfg
	cfg = cfg.WithDefaults()
	s := &Server{name: rand.Text(), log: cfg.logger(), own: http.NewServeMux(), retired: make(chan *serving, 1), fatal: make(chan error, 1), seed: maphash.MakeSeed()}
	s.loads.base = given
	s.metrics = telemetry.NewMetrics(telemetry.MetricsOptions{Version: Version()})
	if err := s.openLogs(cfg); err != nil {
		return nil, err
	}
	var err error
	if s.tracer, err = telemetry.NewTracer(cfg.tracer(), s.log); err != nil {
		return nil, err
	}
	if cfg.RedisURL != "" {
		if s.redis, err = redis.Open(redis.Options{URL: cfg.RedisURL, Logger: s.log}); err != nil {
			return nil, err
		}
	}
	if s.caching, err = newCaching(cfg, s.log, s.redis, s.requestReload); err != nil {
		return nil, err
	}
	if s.limiting, err = s.newLimiting(cfg); err != nil {
		return nil, err
	}
	s.memory = s.newMemory(s.log)
	s.buffers = limit.NewBuffers(cfg.bufferMemory(s.memory))
	pool := cfg.pool(s.log, s.trace)
	pool.Buffers = s.buffers
	if s.caching != nil || cfg.consistencyKey() != nil || len(cfg.DBReplicas) > 0 {
		pool.Committed = s.committed
	}
	if s.caching != nil {
		pool.Switched = s.caching.switched
	}
	if s.db, err = pg.Open(pool); err != nil {
		return nil, err
	}
	if s.caching != nil {
		s.caching.primary = s.db
	}
	if err := s.openReplicas(cfg); err != nil {
		return nil, err
	}
	if err := s.watchPool(); err != nil {
		return nil, err
	}
	if err := errors.Join(s.watchCache(), s.watchPurging(), s.watchReplicas(), s.watchFailover()); err != nil {
		return nil, err
	}
	s.api = edge.NewServer(cfg.apiServer(s.log))
	s.admin = edge.NewServer(cfg.adminServer(s.log))
	if err := s.watchHygiene(); err != nil {
		return nil, err
	}
	first, err := s.serve(cfg, nil)
	if err != nil {
		return nil, err
	}
	s.current.Store(first)
	return s, nil
}

// logger writes the server's own messages to standard error.
func (c Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	level := slog.LevelInfo
	if c.LogLevel == "debug" {
		level = slog.LevelDebug
	}
	return telemetry.NewLogger(os.Stderr, level)
}

func (s *Server) openLogs(cfg Config) error {
	if cfg.AccessLog == "off" {
		return nil
	}
	out, err := cfg.accessOutput().Open()
	if err != nil {
		return fmt.Errorf("access-log: %w", err)
	}
	level, err := telemetry.ParseLevel(cfg.LogLevel)
	if err != nil {
		return fmt.Errorf("log-level: %w", err)
	}
	s.output = out
	s.level.Set(level)
	s.access = telemetry.NewAccessLog(out, telemetry.AccessLogOptions{Level: &s.level})
	return s.metrics.CounterFunc("slipstream_access_log_dropped_total", "Access log lines lost to a slow output.",
		func() float64 { return float64(s.access.Dropped()) })
}

func (s *Server) watchPool() error {
	err := s.metrics.WatchPool(func() telemetry.PoolStats {
		p := s.db.Stats()
		return telemetry.PoolStats{Max: p.Max, Available: p.Idle, InUse: p.InUse, Waiting: int(p.Waiting), Timeouts: p.Timeouts}
	})
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return s.watchLimiters()
}

// Handle adds a handler of the program's own beside the data API, for a pattern of net/http.ServeMux. Its requests
// are authenticated like all others: CallerFrom gives the caller and DBFrom the database. Call it before Run.
func (s *Server) Handle(pattern string, h http.Handler) {
	s.own.Handle(pattern, h)
	s.hasOwn.Store(true)
}

// OnConfigReload sets what NOTIFY pgrst, 'reload config' calls: the program knows where its configuration comes from,
// loads it again and gives it to ReloadConfig.
func (s *Server) OnConfigReload(f func(context.Context)) { s.onReload.Store(&f) }

// Handler is the API for a listener of the caller's own, with everything around it that Run's listener has.
// Before Run, and until the schema is loaded, it answers 503.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.current.Load().handler.ServeHTTP(w, r)
	})
}

// Addr is the address of the API's listener, and AdminAddr that of the admin server; empty before they listen.
func (s *Server) Addr() string { return addrOf(s.api) }

// AdminAddr is described at Addr.
func (s *Server) AdminAddr() string { return addrOf(s.admin) }

func addrOf(e *edge.Server) string {
	if a := e.Addr(); a != nil {
		return a.String()
	}
	return ""
}
