package replicas

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipstream-go/slipstream/internal/balance"
	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/pg"
)

// Options configure a Set.
type Options struct {
	// DSNs are the connection strings, of one server each.
	DSNs []string
	// Primary is where reads go that no replica can answer.
	Primary *pg.DB
	// Pool are the options of each replica's connections, but for what the Set knows itself.
	Pool pg.Options
	// MaxLag is how far a replica may be behind to be read from; default 10 s.
	MaxLag time.Duration
	// Clock gives the time since some moment that stays the same.
	Clock func() time.Duration
	// Logger is told of changes of state; nobody when nil.
	Logger *slog.Logger
	// Looking, if not nil, is called before each look at a replica, and what it returns, if not nil, with what was seen.
	Looking func(replica int) func(context.Context, feed.Sight, error)
}

// Set is the replicas of one primary.
type Set struct {
	options   Options
	all       []*replica
	primary   samples
	balancer  *balance.Balancer
	writers   writers
	fallbacks fallbacks
	settings  atomic.Uint64 // how often the primary's settings may have changed

	waiting atomic.Int64 // for a replica to have replayed something
	patient atomic.Int64 // the clock's reading from which somebody waits again
	news    news
}

// replica is one of them.
type replica struct {
	name  string
	eye   *feed.Standby // the watcher's
	db    *pg.DB
	view  atomic.Pointer[view]
	hurry chan struct{} // the watcher is to look now

	imitated uint64 // the watcher's: Set.settings when the primary's were read last; 0 before
	logged   string // the watcher's: the last state and reason in the log

	reads, failures atomic.Uint64
}

var errOtherUser = errors.New("the user must be that of db-uri, or answers might be others")

// New makes a set. It connects to nothing.
func New(o Options) (*Set, error) {
	if o.MaxLag <= 0 {
		o.MaxLag = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Set{options: o, balancer: balance.New(len(o.DSNs), balance.Options{Clock: o.Clock})}
	s.fallbacks.init(o.Primary.Stats().Max, len(o.Pool.Classes) > 0)
	s.news.init()
	s.settings.Store(1)
	for i, dsn := range o.DSNs {
		eye, err := feed.NewStandby(dsn)
		if err != nil {
			return nil, fmt.Errorf("db-replicas: the standby number %d: %w", i+1, err)
		}
		if slices.ContainsFunc(s.all, func(other *replica) bool { return other.name == eye.Name() }) {
			return nil, fmt.Errorf("db-replicas: %s is there twice; remove one", eye.Name())
		}
		r := &replica{name: eye.Name(), eye: eye, hurry: make(chan struct{}, 1)}
		r.view.Store(&view{state: Starting, reason: "it was not looked at yet", term: over()})
		pool := o.Pool
		pool.DSN, pool.Standby, pool.Committed, pool.Logger = dsn, true, nil, o.Logger.With("replica", r.name)
		if r.db, err = pg.Open(pool); err != nil {
			return nil, fmt.Errorf("db-replicas: %s: %w", r.name, err)
		}
		if r.db.User() != o.Primary.User() {
			return nil, fmt.Errorf("db-replicas: %s: %w", r.name, errOtherUser)
		}
		s.all = append(s.all, r)
	}
	return s, nil
}

// over is a context that has ended.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Len is how many replicas there are.
func (s *Set) Len() int { return len(s.all) }

// Name is the host and the port of a replica.
func (s *Set) Name(i int) string { return s.all[i].name }

// DB is the pool of a replica.
func (s *Set) DB(i int) *pg.DB { return s.all[i].db }

// Imitate has a replica's sessions read and show values as the primary's do now: see pg.DB.
func (s *Set) Imitate(ctx context.Context, i int) error {
	return s.all[i].db.Imitate(ctx, s.options.Primary)
}

// SettingsChanged has the settings of the primary read again, as they may have changed.
func (s *Set) SettingsChanged() { s.settings.Add(1) }

// Run keeps the pools and looks at the servers until ctx ends.
func (s *Set) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { s.sample(ctx) })
	for i, r := range s.all {
		running.Go(func() {
			if err := r.db.Run(ctx); err != nil {
				s.options.Logger.Error("connection pool", "replica", r.name, "error", err)
			}
		})
		running.Go(func() { s.watch(ctx, i) })
	}
	running.Wait()
}
