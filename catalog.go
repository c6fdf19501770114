package slipstream

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/slipstream-go/slipstream/internal/feed"
	"github.com/slipstream-go/slipstream/internal/idemkey"
	"github.com/slipstream-go/slipstream/internal/pg"
	"github.com/slipstream-go/slipstream/internal/plan"
	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// loads makes reloads of the schema one at a time, and lets those that are asked for meanwhile share the next one.
type loads struct {
	mu         sync.Mutex
	generation uint64
	// base is the configuration as it was given, and settings what the database adds to it.
	base     Config
	settings map[string]string
	wanted   chan struct{} // holds a token while a reload is wanted; nil before Run
	once     sync.Once
}

func (l *loads) want() chan struct{} {
	l.once.Do(func() { l.wanted = make(chan struct{}, 1) })
	return l.wanted
}

// requestReload asks for a reload without waiting for it; requests while one is wanted already are one.
func (s *Server) requestReload() {
	select {
	case s.loads.want() <- struct{}{}:
	default:
	}
}

// ReloadSchema reads the settings in the database and the catalog again and puts them in force. What fails stays as it
// is. Requests are served meanwhile with the old ones.
func (s *Server) ReloadSchema(ctx context.Context) error {
	s.loads.mu.Lock()
	defer s.loads.mu.Unlock()
	if err := s.configure(ctx); err != nil {
		if s.catalog.Load() == nil || lost(err) {
			s.metrics.SchemaLoadFailed()
			return err
		}
		s.log.Error("the old configuration stays in use", "error", err)
	}
	return s.loadSchema(ctx)
}

func (s *Server) loadSchema(ctx context.Context) error {
	cfg := s.current.Load().config
	s.loads.generation++
	var changes uint64
	if s.caching != nil {
		changes = s.caching.reading()
	}
	var next rest.Catalog
	start := time.Now()
	err := s.db.Catalog(ctx, func(q pg.Querier) (err error) {
		next.Schema, err = schema.Load(ctx, q, schema.Options{
			Schemas:         cfg.DBSchemas,
			ExtraSearchPath: cfg.DBExtraSearchPath,
			HoistedSettings: cfg.DBHoistedTxSettings,
			Inputs:          cfg.preRequestRelations(),
			Generation:      s.loads.generation,
		})
		if err != nil {
			return err
		}
		if next.Roles, err = pg.LoadRoleSettings(ctx, q); err != nil {
			return err
		}
		if next.Idempotency, err = idemkey.Installed(ctx, q); err != nil || s.caching == nil {
			return err
		}
		changes, err := feed.ReadSchemaChanges(ctx, q)
		next.Changes = rest.SchemaChanges(changes)
		if err == nil && s.caching.tier != nil {
			next.Digest, err = digestOf(ctx, q, &next)
		}
		return err
	})
	if err != nil {
		if s.caching != nil {
			s.caching.notRead()
		}
		s.metrics.SchemaLoadFailed()
		return err
	}
	took := time.Since(start)
	s.warnOfNames(cfg, next.Schema)
	s.metrics.SchemaLoaded(took)
	if s.catalog.Swap(&next) != nil {
		s.db.Renew() // sooner, and requests would prepare their statements for the old catalog again
	}
	if s.replicas != nil {
		s.replicas.SettingsChanged()
	}
	if s.caching != nil {
		s.caching.read(changes)
		s.caching.purging.learn(&next, cfg.cachePolicies())
	}
	s.log.Info("schema loaded", "relations", len(next.Schema.Relations), "functions", len(next.Schema.Functions),
		"milliseconds", took.Milliseconds())
	return nil
}

// warnOfNames says what the configuration names that does not exist.
func (s *Server) warnOfNames(cfg Config, found *schema.Snapshot) {
	for _, name := range plan.Unknown(cfg.Relations, found) {
		s.log.Warn("relations: an entry of a relation that is not exposed has no effect", "relation", name)
	}
	for _, name := range cfg.preRequestRelations() {
		if _, ok := found.Inputs[name]; !ok {
			s.log.Warn("db-pre-request-reads: nothing is cached, as a relation does not exist", "relation", name.Schema+"."+name.Name)
		}
	}
}

// keepCatalog loads the schema, as often as it takes, and again whenever that is asked for. Settings in the database
// that are wrong at the start end the server, as wrong ones elsewhere do.
func (s *Server) keepCatalog(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	// With a channel the first load waits for LISTEN, so that no change falls between the two.
	if cfg := s.current.Load().config; cfg.DisableChannel {
		s.requestReload()
	} else {
		wg.Go(func() { s.db.Listen(ctx, cfg.DBChannel, s.notifications(ctx)) })
	}
	const first, longest = time.Second, 32 * time.Second
	pause := first
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.loads.want():
		}
		err := s.ReloadSchema(ctx)
		if err == nil {
			pause = first
			continue
		}
		if ctx.Err() != nil || s.givesUp(err) {
			return
		}
		s.log.Error("schema not loaded; the one in force stays", "error", err, "retry_seconds", pause.Seconds())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(pause*2, longest)
		s.requestReload()
	}
}

// notifications handles NOTIFY on db-channel: "reload schema" or an empty payload reload the schema and the
// settings in the database, "reload config" does what OnConfigReload says, which is nothing more by default, and "purge
// cache" with a CachePurge drops answers.
func (s *Server) notifications(ctx context.Context) pg.ListenHandlers {
	return pg.ListenHandlers{
		// What was notified while nobody listened is lost, so the schema may have changed. Reading it empties the cache.
		Connected: s.requestReload,
		Notified: func(payload string) {
			switch order, isPurge := strings.CutPrefix(payload, purgeWords); {
			case isPurge:
				s.purgeOrdered(ctx, order)
			case payload == "" || payload == "reload schema":
				s.requestReload()
			case payload == "reload config":
				if f := s.onReload.Load(); f != nil {
					(*f)(ctx)
				} else {
					s.requestReload()
				}
			default:
				s.log.Warn("unknown notification", "payload", payload)
			}
		},
		Failed: func(err error, pause time.Duration) {
			s.log.Warn("not listening for notifications", "error", err, "retry_seconds", pause.Seconds())
			if s.catalog.Load() == nil || s.current.Load().config.DisablePoolRecovery {
				s.requestReload()
			}
		},
	}
}
